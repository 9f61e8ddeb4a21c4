import { CountersignError } from '../errors/index.ts'

/** What one stream may ask a server to remember. */
export interface DiscoveryLimits {
  /** Longest resource name, in bytes of UTF-8. */
  readonly nameBytes: number
  /** Most names subscribed to, and most versions told at the start of a stream; over all types. */
  readonly names: number
  /** Most bytes of all those names together. */
  readonly totalBytes: number
}

/**
 * For a client that nobody vouches for: a proxy that subscribes to the endpoints of some ten thousand clusters fits,
 * and a stream that means harm costs the server no more than a few megabytes.
 */
export const DEFAULT_LIMITS: DiscoveryLimits = { nameBytes: 1024, names: 20_000, totalBytes: 2 * 1024 * 1024 }

/** @throws CountersignError ERR_DISCOVERY_REQUEST_INVALID, naming the field */
export function checkNames(field: string, names: readonly string[], limits: DiscoveryLimits): void {
  if (names.length > limits.names)
    throw invalidRequest(`${field} has ${names.length} entries, at most ${limits.names} are allowed`)
  for (const name of names) {
    if (name === '') throw invalidRequest(`${field} has an empty name`)
    const bytes = Buffer.byteLength(name)
    if (bytes > limits.nameBytes)
      throw invalidRequest(`${field} has a name of ${bytes} bytes, at most ${limits.nameBytes} are allowed`)
  }
}

/** What a stream has been asked to remember, over all its types. */
export interface Remembered {
  readonly names: number
  readonly bytes: number
}

/** @throws CountersignError ERR_DISCOVERY_REQUEST_INVALID, naming the field */
export function checkRemembered(field: string, remembered: Iterable<Remembered>, limits: DiscoveryLimits): void {
  let names = 0
  let bytes = 0
  for (const part of remembered) {
    names += part.names
    bytes += part.bytes
  }
  if (names > limits.names)
    throw invalidRequest(`${field} takes the stream to ${names} names, at most ${limits.names} are allowed`)
  if (bytes > limits.totalBytes)
    throw invalidRequest(
      `${field} takes the stream to ${bytes} bytes of names, at most ${limits.totalBytes} are allowed`
    )
}

export function invalidRequest(message: string): CountersignError {
  return new CountersignError('ERR_DISCOVERY_REQUEST_INVALID', message)
}
