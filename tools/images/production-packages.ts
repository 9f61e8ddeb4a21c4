/** What `package-lock.json` says of one installed package. Format: npm docs, package-lock.json, lockfileVersion 3. */
interface LockedPackage {
  readonly dev?: boolean
  readonly optional?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** The `packages` of `package-lock.json`, by location: `node_modules/a/node_modules/b`. */
export type LockedPackages = Readonly<Record<string, LockedPackage>>

/**
 * Everything that has to be installed for these packages to work, as locations, sorted.
 *
 * Declarations of types are left out, and so is what is only there for development, unless `development` is set.
 *
 * @throws Error when a package that is needed is not in the lock file, or only there for development
 */
export function productionPackages(locked: LockedPackages, names: readonly string[], development = false): string[] {
  const chosen = new Set<string>()
  const choose = (name: string, from: string, required: boolean): void => {
    if (name.startsWith('@types/')) return
    const location = locate(locked, name, from)
    if (location === undefined) {
      if (!required) return
      throw new Error(
        `${from === '' ? 'a program' : from} needs the package ${name}, which package-lock.json does not have`
      )
    }
    if (chosen.has(location)) return
    const { dev, dependencies, optionalDependencies, peerDependencies } = locked[location] ?? {}
    if (dev === true && !development) {
      if (!required) return
      throw new Error(
        `${from === '' ? 'a program' : from} needs the package ${name}, which is there for development only`
      )
    }
    chosen.add(location)
    for (const [wanted, must] of [
      [dependencies, true],
      [optionalDependencies, false],
      [peerDependencies, false]
    ] as const)
      for (const dependency of Object.keys(wanted ?? {}))
        choose(dependency, location, must && optionalDependencies?.[dependency] === undefined)
  }
  for (const name of names) choose(name, '', true)
  return [...chosen].sort()
}

/** Where Node.js finds `name` when a module of the package at `from` asks for it: the nearest node_modules. */
function locate(locked: LockedPackages, name: string, from: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const candidate = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
    if (locked[candidate] !== undefined) return candidate
    if (folder === '') return undefined
  }
}
