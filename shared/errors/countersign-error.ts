import type { ErrorCode } from './catalogue.ts'

/** What a log line says beside the message. Never a key, a token or a certificate request. */
export type Facts = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/**
 * The one error class of Countersign.
 *
 * `message` starts in lower case, has no final period and names field, value and what is allowed. `facts` and
 * `cause` are for the log; neither is ever sent to a peer.
 */
export class CountersignError extends Error {
  override readonly name = 'CountersignError'
  readonly code: ErrorCode
  readonly facts: Facts

  constructor(code: ErrorCode, message: string, options: { facts?: Facts; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.facts = options.facts ?? {}
  }

  /** The single conversion of a caught value: our own errors pass, everything else becomes `code` with a cause. */
  static from(thrown: unknown, code: ErrorCode = 'ERR_INTERNAL', context?: string): CountersignError {
    if (thrown instanceof CountersignError) return thrown
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    return new CountersignError(code, context === undefined ? text : `${context}: ${text}`, { cause: thrown })
  }
}
