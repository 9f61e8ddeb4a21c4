/** What the client saw so far. */
export interface PemClientReport {
  /** Requests that were answered, by whether their connection was kept or made for each. */
  readonly answered: { readonly kept: number; readonly new: number }
  /** Requests on a kept connection that the server closed meanwhile, sent once more. */
  readonly repeated: number
  /** How many failed, and the first of them. */
  readonly failed: number
  readonly failures: readonly string[]
  readonly serverSerials: readonly string[]
  readonly clientSerials: readonly string[]
  /** Whom the server said to have verified. */
  readonly clients: readonly string[]
}
