interface Exempting {
  readonly name: string
  readonly exemptPorts: readonly number[]
}

/** Names that hold together, on every port beside `exemptPorts`. */
export interface PortGroup {
  readonly names: readonly string[]
  readonly exemptPorts: readonly number[]
}

/**
 * Which of these hold on which ports, for rules of which the first that matches decides: first all of them, for every
 * port that none exempts, then a group for each set of names that is left on some of the exempt ports. A set may be
 * empty.
 *
 * @param except ports for which no group is needed
 */
export function portGroups(all: readonly Exempting[], except: readonly number[] = []): readonly PortGroup[] {
  const exempt = [...new Set(all.flatMap(({ exemptPorts }) => exemptPorts))]
    .filter(port => !except.includes(port))
    .sort((a, b) => a - b)
  const left = exempt.map(port => ({
    port,
    names: all.filter(({ exemptPorts }) => !exemptPorts.includes(port)).map(({ name }) => name)
  }))
  const groups = Map.groupBy(left, ({ names }) => JSON.stringify(names))
  return [
    { names: all.map(({ name }) => name), exemptPorts: exempt },
    ...[...groups.values()].map(group => {
      const ports = new Set(group.map(({ port }) => port))
      return { names: group[0]?.names ?? [], exemptPorts: exempt.filter(port => !ports.has(port)) }
    })
  ]
}
