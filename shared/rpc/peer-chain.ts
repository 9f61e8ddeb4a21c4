import type { DetailedPeerCertificate } from 'node:tls'

// A chain of ours has two or three certificates.
const LONGEST_CHAIN = 10

/**
 * The certificates that a peer presented, each DER, its own first. Empty when it presented none.
 *
 * A root at the end is left out: whether it came from the peer or from what is trusted here cannot be told, and roots
 * are never taken from a peer.
 */
export function peerChain(certificate: DetailedPeerCertificate | undefined): Buffer[] {
  const chain: Buffer[] = []
  let current = certificate
  while (current?.raw !== undefined && chain.length < LONGEST_CHAIN) {
    const { issuerCertificate: issuer, raw } = current
    const selfIssued = issuer?.raw?.equals(raw) ?? false
    if (selfIssued && chain.length > 0) break
    chain.push(raw)
    if (selfIssued) break
    current = issuer
  }
  return chain
}
