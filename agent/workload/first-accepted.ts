import { CountersignError } from '../../shared/errors/index.ts'

/** A way to be given a certificate. */
export interface Way<T> {
  /** For the error when all are refused, for example `token`. */
  readonly name: string
  readonly attempt: () => Promise<T>
}

/**
 * Goes the first way that is accepted. The next one is gone only where `mayHelp` says so of what went wrong: an
 * authority that is down stays down, whatever is shown to it.
 *
 * @throws CountersignError that of the last way, naming what became of each; TypeError when there is no way
 */
export async function firstAccepted<T>(
  ways: readonly Way<T>[],
  mayHelp: (err: CountersignError) => boolean
): Promise<T> {
  const refusals: { readonly name: string; readonly err: CountersignError }[] = []
  for (const { name, attempt } of ways) {
    try {
      return await attempt()
    } catch (thrown) {
      const err = CountersignError.from(thrown)
      refusals.push({ name, err })
      if (!mayHelp(err)) break
    }
  }
  const last = refusals.at(-1)
  if (last === undefined) throw new TypeError('expected at least one way')
  if (refusals.length === 1) throw last.err
  const message = refusals.map(({ name, err }) => `by ${name}: ${err.message}`).join('; ')
  throw new CountersignError(last.err.code, message, { cause: last.err })
}
