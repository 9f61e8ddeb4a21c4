import { hkdfSync } from 'node:crypto'

/** What a proxy needs to be the client of an issuer. */
export interface LoginSecretValue {
  /** What the proxy proves itself with. */
  readonly clientSecret: Buffer
  /** What it signs sessions with, 32 bytes: the same in every proxy of the policy, and in every replica of ours. */
  readonly hmacKey: Buffer
}

const KEY_BYTES = 32

/**
 * The session key is derived (RFC 5869), so that it needs no Secret of its own: whoever replaces the secret of the
 * client ends all sessions with it. It is another one for every policy, also where policies share a client.
 *
 * @param policy `<namespace>/<name>`
 */
export function loginSecretValue(policy: string, clientSecret: Buffer): LoginSecretValue {
  const hmacKey = hkdfSync('sha256', clientSecret, '', `countersign login ${policy}`, KEY_BYTES)
  return Object.freeze({ clientSecret, hmacKey: Buffer.from(hmacKey) })
}

const LONGEST_BYTES = 4_096

/** What is wrong with a client secret; it is not quoted. RFC 6749, appendix A.2: printable ASCII. */
export function clientSecretProblem(secret: Buffer): string | undefined {
  if (secret.length === 0) return 'is empty'
  if (secret.length > LONGEST_BYTES) return `is too long: expected at most ${LONGEST_BYTES} bytes`
  if (secret.every(isPrintable)) return undefined
  const line = secret.subarray(0, -1).every(isPrintable) && secret.at(-1) === LINE_FEED
  return line
    ? 'ends with a line break, which is no part of the secret of a client: leave it out (`printf` writes none)'
    : 'is no secret of a client: expected printable ASCII (RFC 6749, appendix A.2)'
}

const LINE_FEED = 0x0a
const isPrintable = (byte: number): boolean => byte >= 0x20 && byte <= 0x7e
