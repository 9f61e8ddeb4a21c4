import type { ChannelOptions, ServerOptions } from '@grpc/grpc-js'

const KIB = 1024
const MIB = 1024 * KIB
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * For servers on a pod's Unix socket, whose clients nobody vouches for.
 *
 * - Requests: the first of an Envoy lists its extensions (about 100 KiB), one that resumes lists the versions of what
 *   it has (10,000 names: about 1 MiB). What a server sends has no limit: Envoy has none either.
 * - Streams: an Envoy with secrets outside ADS opens one for each.
 * - No keepalive: the kernel reports the end of whoever is at the other side of a Unix socket.
 */
export const UNIX_SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': 4 * MIB,
  'grpc.max_concurrent_streams': 128
}

/**
 * For the authority, whose callers are agents somewhere in the cluster.
 *
 * - Requests: an agent that resumes lists the versions of the whole mesh (100,000 names: about 10 MiB).
 * - Streams: an agent that restarts asks for the certificates of all pods of its node at once.
 * - Keepalive: a node that lost power sends nothing, so its connection is found dead within 40 s.
 * - Age: agents come back once an hour (grpc-js spreads it by 10 %) with the certificate that they have by then, and
 *   spread over the replicas that there are by then. They resume, so little is sent.
 * - Idle: whoever finished the handshake and then asks nothing is let go.
 */
export const AUTHORITY_SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': 16 * MIB,
  'grpc.max_concurrent_streams': 256,
  'grpc.keepalive_time_ms': 30 * SECOND,
  'grpc.keepalive_timeout_ms': 10 * SECOND,
  'grpc.max_connection_age_ms': HOUR,
  'grpc.max_connection_age_grace_ms': 10 * SECOND,
  'grpc.max_connection_idle_ms': 5 * MINUTE
}

/**
 * For clients of the authority.
 *
 * - Responses: the whole mesh in one message, at 100 bytes an endpoint, up to some 500,000 endpoints.
 * - Keepalive: a peer that vanished is noticed within 15 s, and only while there are calls.
 * - One subchannel pool per channel: two channels must not share a connection that proved another identity.
 * - No proxy, no service config out of DNS: neither may come between an agent and its authority.
 * - No retries: whoever calls knows when to try again, and with what waits.
 */
export const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.max_receive_message_length': 64 * MIB,
  'grpc.keepalive_time_ms': 10 * SECOND,
  'grpc.keepalive_timeout_ms': 5 * SECOND,
  'grpc.initial_reconnect_backoff_ms': 500,
  'grpc.max_reconnect_backoff_ms': 5 * SECOND,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0
}
