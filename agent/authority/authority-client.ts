import type { Client } from '@grpc/grpc-js'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { SpiffeId, type TrustDomain } from '../../shared/identity/index.ts'
import { connectTls } from '../../shared/rpc/index.ts'
import { parseCertificate, privateKeyToPem, type TrustBundle, toPem, verifySvid } from '../../shared/x509/index.ts'
import type { Svid } from '../workload/index.ts'

/** No call takes longer: whoever asks tries again by itself. */
export const CALL_TIMEOUT_MS = 10_000

/** Where the authority is, and how it is known. */
export interface AuthorityEndpoint {
  /** `host:port`. */
  readonly address: string
  readonly trustDomain: TrustDomain
  readonly trust: { authorityBundle(): TrustBundle | undefined }
  readonly clock: Clock
}

/**
 * A client of the authority with the roots of this moment, and with mutual authentication where `identity` is given.
 *
 * @throws CountersignError ERR_AUTHORITY_UNAVAILABLE while no root is known: then no server could be verified
 */
export function connectAuthority({ address, trustDomain, trust, clock }: AuthorityEndpoint, identity?: Svid): Client {
  const bundle = trust.authorityBundle()
  if (bundle === undefined)
    throw new CountersignError(
      'ERR_AUTHORITY_UNAVAILABLE',
      'no trust bundle is known yet, so no authority can be verified'
    )
  const expected = SpiffeId.authority(trustDomain)
  return connectTls({
    address,
    roots: toPem(bundle.roots),
    identity: identity && { key: privateKeyToPem(identity.privateKey), cert: toPem(identity.chain) },
    verifyServer(chain) {
      const found = verifySvid(chain.map(parseCertificate), [bundle], clock.now())
      if (!found.equals(expected))
        throw new CountersignError('ERR_CERTIFICATE_INVALID', `the server is ${found}, expected ${expected}`)
    }
  })
}
