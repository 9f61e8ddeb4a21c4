import { createHash } from 'node:crypto'
import type { Certificate, TrustBundle } from '../../shared/x509/index.ts'

// Thousands of Secrets are compared with the same bundle.
const known = new WeakMap<TrustBundle, string>()

/** Names a set of roots, in whatever order and however often they are given: SHA-256 in hexadecimal. */
export function rootsDigest(bundle: TrustBundle): string {
  const found = known.get(bundle)
  if (found !== undefined) return found
  const digests = [...new Set(bundle.roots.map(rootDigest))].sort()
  const digest = sha256(digests.join('\n'))
  known.set(bundle, digest)
  return digest
}

/** Names one root: SHA-256 of its DER in hexadecimal. */
export function rootDigest({ der }: Certificate): string {
  return sha256(der)
}

function sha256(input: string | Uint8Array): string {
  return createHash('sha256').update(input).digest('hex')
}
