import type { TrustBundle } from '../../shared/x509/index.ts'
import { parseCertificate, verifySvid } from '../../shared/x509/index.ts'

/** The peer of a connection without a client certificate. */
const ANONYMOUS = 'anonymous'

/**
 * Who is at the other end of a TLS connection, as the name under which it is served: `agent:<node>`, `anonymous` when
 * no certificate was presented, undefined for whoever is not an agent. The SVID of a pod, stolen or not, opens nothing.
 *
 * @param chain - as presented, DER, the peer's own first
 * @throws CountersignError ERR_CERTIFICATE_INVALID, ERR_SPIFFE_ID_INVALID when the chain does not verify
 */
export function identifyPeer(chain: readonly Buffer[], bundle: TrustBundle, now: number): string | undefined {
  if (chain.length === 0) return ANONYMOUS
  const { subject } = verifySvid(chain.map(parseCertificate), [bundle], now)
  return subject.kind === 'agent' ? `agent:${subject.node}` : undefined
}
