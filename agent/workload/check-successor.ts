import type { KeyObject } from 'node:crypto'
import { CountersignError } from '../../shared/errors/index.ts'
import type { SpiffeId } from '../../shared/identity/index.ts'
import type { Certificate } from '../../shared/x509/index.ts'
import { expiryOf } from './svid.ts'

/** What a chain must be to take the place of the current one. */
export interface Expected {
  readonly spiffeId: SpiffeId
  /** The key that was made for it. */
  readonly publicKey: KeyObject
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Throws when the chain leads to no root that peers trust; does nothing while no root is known. */
  readonly verify: (chain: readonly Certificate[]) => void
}

/** @throws CountersignError ERR_CERTIFICATE_INVALID when the authority's answer is not what was asked for */
export function checkSuccessor(chain: readonly Certificate[], expected: Expected): void {
  const fault = faultOf(chain, expected)
  if (fault !== undefined)
    throw new CountersignError('ERR_CERTIFICATE_INVALID', `the answer for ${expected.spiffeId} is not usable: ${fault}`)
  expected.verify(chain)
}

function faultOf(chain: readonly Certificate[], { spiffeId, publicKey, now }: Expected): string | undefined {
  const leaf = chain[0]
  if (leaf === undefined) return 'the chain is empty'
  if (leaf.spiffeId === undefined || !leaf.spiffeId.equals(spiffeId))
    return `the certificate is for ${leaf.spiffeId ?? 'nobody'}`
  if (!leaf.publicKey.equals(publicKey)) return 'the certificate is for another key'
  const notAfter = expiryOf({ chain })
  if (notAfter <= now)
    return `the certificate expired at ${new Date(notAfter).toISOString()}, now is ${new Date(now).toISOString()}`
  return undefined
}
