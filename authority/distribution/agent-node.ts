const PEER_PREFIX = 'agent:'

/** The node that the peer of a connection speaks for; undefined when it is not an agent. */
export const agentNodeOf = (peer: string): string | undefined =>
  peer.startsWith(PEER_PREFIX) ? peer.slice(PEER_PREFIX.length) : undefined
