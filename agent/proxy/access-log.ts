import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import {
  type AccessLog,
  type AccessLogFilter,
  AccessLogFilterSchema,
  AccessLogSchema,
  ExtensionFilterSchema
} from '../../shared/proto/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import { ExpressionFilterSchema } from '../../shared/proto/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'
import { StdoutAccessLogSchema } from '../../shared/proto/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js'

export type Direction = 'inbound' | 'outbound'

/**
 * Why something was not delivered, in Envoy's response flags: no connection (UF) or a broken one (UC, UR, UPE), no
 * endpoint (UH, NC), no chain or route for it (NR), a limit (UO, URX), a peer that does not speak the protocol (DPE, LR).
 * A client that goes away is no failure of ours, and not here.
 */
const FAILURES = ['UF', 'UC', 'UR', 'UPE', 'UH', 'NC', 'NR', 'UO', 'URX', 'DPE', 'LR']

const failed: AccessLogFilter = create(AccessLogFilterSchema, {
  filterSpecifier: { case: 'responseFlagFilter', value: { flags: FAILURES } }
})

// A handshake that failed sets no flag. Its reason starts like this; a reason without the colon is the TLS inspector's
// remark on every connection that is not TLS.
const HANDSHAKE_FAILED = "connection.transport_failure_reason.startsWith('TLS_error:')"

const refused: AccessLogFilter = create(AccessLogFilterSchema, {
  filterSpecifier: { case: 'orFilter', value: { filters: [failed, expressionFilter(HANDSHAKE_FAILED)] } }
})

/** What holds where an expression does (CEL; Envoy, intro/arch_overview/advanced/attributes). */
export function expressionFilter(expression: string): AccessLogFilter {
  const value = create(ExtensionFilterSchema, {
    name: 'envoy.access_loggers.extension_filters.cel',
    configType: {
      case: 'typedConfig',
      value: anyPack(ExpressionFilterSchema, create(ExpressionFilterSchema, { expression }))
    }
  })
  return create(AccessLogFilterSchema, { filterSpecifier: { case: 'extensionFilter', value } })
}

const CONNECTION = {
  time: '%START_TIME%',
  flags: '%RESPONSE_FLAGS%',
  details: '%CONNECTION_TERMINATION_DETAILS%',
  destination: '%DOWNSTREAM_LOCAL_ADDRESS%',
  source: '%DOWNSTREAM_REMOTE_ADDRESS%',
  server_name: '%REQUESTED_SERVER_NAME%',
  downstream_failure: '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%'
}

// The SPIFFE ID that the other end has proven, where it has one.
const PEER = { peer: '%DOWNSTREAM_PEER_URI_SAN%' }
// The same before it is proven: what a certificate says that was perhaps refused.
const CLAIMED_PEER = { claimed_peer: '%DOWNSTREAM_PEER_URI_SAN%' }

const UPSTREAM = {
  cluster: '%UPSTREAM_CLUSTER%',
  endpoint: '%UPSTREAM_HOST%',
  // Says CERTIFICATE_VERIFY_FAILED and the like: the reason why a peer was not trusted.
  upstream_failure: '%UPSTREAM_TRANSPORT_FAILURE_REASON%'
}

const REQUEST = {
  details: '%RESPONSE_CODE_DETAILS%',
  status: '%RESPONSE_CODE%',
  method: '%REQ(:METHOD)%',
  authority: '%REQ(:AUTHORITY)%',
  // Without the query, where people put tokens.
  path: '%PATH(NQ)%'
}

function jsonLines(fields: Record<string, string>, filter: AccessLogFilter): AccessLog {
  const message = create(StdoutAccessLogSchema, {
    accessLogFormat: {
      case: 'logFormat',
      value: { format: { case: 'jsonFormat', value: fields }, omitEmptyValues: true }
    }
  })
  return create(AccessLogSchema, {
    name: 'envoy.access_loggers.stdout',
    filter,
    configType: { case: 'typedConfig', value: anyPack(StdoutAccessLogSchema, message) }
  })
}

/** One JSON line for each request that was not delivered; nothing for those that were. */
export const requestLog = (direction: Direction): AccessLog =>
  jsonLines({ log: `${direction} request`, ...CONNECTION, ...PEER, ...UPSTREAM, ...REQUEST }, failed)

/**
 * The same for connections that came to nothing: plaintext where mutual TLS is required, handshakes that failed, bytes
 * that could not be passed on. One for the listener serves all its chains.
 */
export const listenerLog = (direction: Direction): AccessLog =>
  jsonLines({ log: `${direction} connection`, ...CONNECTION, ...CLAIMED_PEER, ...UPSTREAM }, refused)
