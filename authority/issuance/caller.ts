/** Who is at the other end of a connection, as whoever accepted it found out in the TLS handshake. */
export type Caller =
  /** TLS without a client certificate. */
  | { readonly kind: 'anonymous' }
  /** Mutual TLS with the verified SVID of the agent of that node. */
  | { readonly kind: 'agent'; readonly node: string }

const AGENT = 'agent:'

/** Reads the peer of a connection: `anonymous` or `agent:<node>`; undefined for any other. */
export function parsePeer(peer: string): Caller | undefined {
  if (peer === 'anonymous') return { kind: 'anonymous' }
  if (peer.startsWith(AGENT) && peer.length > AGENT.length) return { kind: 'agent', node: peer.slice(AGENT.length) }
  return undefined
}
