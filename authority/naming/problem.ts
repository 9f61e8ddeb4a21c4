/** Something in the mesh that does not mean what its author may believe. It stops nothing. */
export interface NamingProblem {
  readonly kind: /** It has no effect at all. */
    | 'policy-ignored'
    /** It has none on some of the pods that it selects. */
    | 'policy-overridden'
    | 'protocol-conflict'
    | 'endpoint-not-trusted'
    | 'endpoint-unknown'
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

/** Collects problems, each once, however many pods meet it. */
export class ProblemList {
  readonly #problems = new Map<string, NamingProblem>()

  add(kind: NamingProblem['kind'], object: string, message: string): void {
    this.addAll([Object.freeze({ kind, object, message })])
  }

  addAll(problems: readonly NamingProblem[]): void {
    for (const problem of problems) this.#problems.set(`${problem.object}: ${problem.message}`, problem)
  }

  /** Sorted, so that the same problems are the same list. */
  list(): readonly NamingProblem[] {
    const entries = [...this.#problems].sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.freeze(entries.map(([, problem]) => problem))
  }
}
