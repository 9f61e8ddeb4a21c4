/** Something in the mesh that does not mean what its author may believe. It stops nothing. */
export interface NamingProblem {
  readonly kind: /** It has no effect at all. */
    | 'policy-ignored'
    /** It cannot be understood, and closes what it selects. */
    | 'policy-unreadable'
    /** It has none on some of the pods that it selects. */
    | 'policy-overridden'
    | 'protocol-conflict'
    | 'endpoint-not-trusted'
    | 'endpoint-unknown'
    /** It is left out: an EndpointSlice says what the pods contradict. */
    | 'endpoint-contradictory'
    /** It is a pod of another namespace than its Service. */
    | 'endpoint-across-namespaces'
    | 'endpoint-mirror-pod'
    /** Several pods report one address. */
    | 'address-disputed'
    /** A pod reports an address that its Node does not give to pods. */
    | 'address-outside-node'
    /** It asks for less than the operator's floor, or can be avoided where the floor says that it must not be. */
    | 'below-floor'
    /** It does not hold for some of the pods that it selects, or has such pods. */
    | 'not-enforced'
    /** It has a pod that gets no certificate. */
    | 'no-certificate'
    | 'end-users-unchecked'
    | 'login-ignored'
    | 'login-unavailable'
  /** The object that is concerned, as `Service shop/orders`. */
  readonly object: string
  readonly message: string
}

/** How many problems of one kind are listed of one object: authors of objects decide how many there are. */
const MOST_OF_A_KIND = 20

/** Collects problems, each once, however many pods meet it. */
export class ProblemList {
  readonly #problems = new Map<string, NamingProblem>()

  add(kind: NamingProblem['kind'], object: string, message: string): void {
    this.addAll([Object.freeze({ kind, object, message })])
  }

  addAll(problems: readonly NamingProblem[]): void {
    for (const problem of problems) this.#problems.set(`${problem.object}: ${problem.message}`, problem)
  }

  /** Every problem, sorted, so that the same problems are the same list. */
  all(): readonly NamingProblem[] {
    const entries = [...this.#problems].sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.freeze(entries.map(([, problem]) => problem))
  }

  /** The same, with at most 20 problems of one kind for each object, and then how many more there are. */
  list(): readonly NamingProblem[] {
    const groups = Map.groupBy(this.all(), ({ kind, object }) => `${kind} ${object}`)
    const left = new Map<NamingProblem, number>()
    const dropped = new Set<NamingProblem>()
    for (const group of groups.values()) {
      const last = group[MOST_OF_A_KIND - 1]
      if (last === undefined || group.length === MOST_OF_A_KIND) continue
      left.set(last, group.length - MOST_OF_A_KIND)
      for (const problem of group.slice(MOST_OF_A_KIND)) dropped.add(problem)
    }
    return Object.freeze(
      this.all()
        .filter(problem => !dropped.has(problem))
        .flatMap(problem => {
          const more = left.get(problem)
          if (more === undefined) return [problem]
          return [problem, Object.freeze({ ...problem, message: `${more} more problems of this kind are not listed` })]
        })
    )
  }
}
