import { CountersignError, type ErrorCode } from '../errors/index.ts'

/**
 * The edge between DER from outside and this room: bounded before it is looked at, and whatever goes wrong inside
 * leaves as one kind of error.
 *
 * @throws CountersignError with `code`
 */
export function decode<T>(code: ErrorCode, what: string, der: Uint8Array, limit: number, inside: () => T): T {
  if (der.length > limit) throw new CountersignError(code, `${what} has ${der.length} bytes: expected at most ${limit}`)
  try {
    return inside()
  } catch (error) {
    throw CountersignError.from(error, code, `${what} cannot be read`)
  }
}
