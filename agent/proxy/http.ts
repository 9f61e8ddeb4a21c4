import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import {
  type TypedExtensionConfig,
  TypedExtensionConfigSchema
} from '../../shared/proto/gen/envoy/config/core/v3/extension_pb.js'
import { type Filter, FilterSchema } from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { RouteConfiguration } from '../../shared/proto/gen/envoy/config/route/v3/route_pb.js'
import { RouterSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import {
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
  type HttpFilter,
  HttpFilterSchema,
  HttpConnectionManager_InternalAddressConfigSchema as InternalAddressConfigSchema,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  HttpConnectionManager_SetCurrentClientCertDetailsSchema as SetCurrentClientCertDetailsSchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import {
  type HeaderMutation,
  HeaderMutationSchema
} from '../../shared/proto/gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.js'
import { type Direction, requestLog } from './access-log.ts'
import { hostRange } from './address.ts'
import { milliseconds, NEVER } from './duration.ts'
import { CLAIM_REMOVING_FILTERS, endUserFiltersWith, NO_LOGIN } from './end-user-filters.ts'
import { misspelledHeader } from './header-spelling.ts'
import { SET_LOCAL_PORT, WITHOUT_LOCAL_PORT } from './local-port.ts'
import { localReply } from './local-reply.ts'
import { PROBE_REPLY } from './probe-reply.ts'
import { smallRegex } from './regex.ts'
import { UNKNOWN_KEY_LOG } from './unknown-key-log.ts'

/** Where a connection manager has its routes from. */
export type RouteSource = HttpConnectionManager['routeSpecifier']

/** What differs by direction. */
type ManagerParts = Partial<
  Pick<
    HttpConnectionManager,
    | 'accessLog'
    | 'earlyHeaderMutationExtensions'
    | 'forwardClientCertDetails'
    | 'setCurrentClientCertDetails'
    | 'normalizePath'
    | 'httpFilters'
  >
>

/** What differs between one HTTP connection manager and another of its direction. */
export interface HttpOptions {
  readonly routes: RouteSource
  /** CONNECT requests are let in, for routes that end them. */
  readonly connect?: boolean
  /** Inbound: the filter of the workload's login. */
  readonly login?: HttpFilter
}

/** Towards the application; `peer`: the other end has shown a certificate, and the application is told whose. */
export const inboundHttp = (peer: 'verified' | 'unknown', options: HttpOptions): Filter =>
  httpFilter('inbound', options, {
    ...(peer === 'verified' ? FORWARD_PEER : DROP_PEER),
    // Policies compare paths: what they see and what the application sees must be one thing (RFC 3986, section 6).
    normalizePath: true,
    earlyHeaderMutationExtensions: [WITHOUT_FORGERIES, LOCAL_PORT],
    httpFilters: [...endUserFiltersWith(options.login ?? NO_LOGIN), ROUTER],
    accessLog: [requestLog('inbound'), UNKNOWN_KEY_LOG]
  })

/** Away from the application. What it sends as is, it may send; but it may not claim to be somebody. */
export const outboundHttp = (options: HttpOptions): Filter => httpFilter('outbound', options, DROP_PEER)

// By x-envoy-* headers a request would steer retries, timeouts and statistics of every proxy on its way: one request
// could become thousands, or name statistics until the memory is full. And x_forwarded_client_cert, which is another
// header here, is to many an application the one that says who calls.
const WITHOUT_FORGERIES = earlyMutation(
  ['x-envoy-.*', ...misspelledHeader('x-forwarded-client-cert')].map(expression => ({
    action: { case: 'removeOnMatch', value: { keyMatcher: { matchPattern: smallRegex(expression) } } }
  }))
)
const LOCAL_PORT = earlyMutation([WITHOUT_LOCAL_PORT, SET_LOCAL_PORT])
const NO_LOCAL_PORT = earlyMutation([WITHOUT_LOCAL_PORT])

function earlyMutation(
  mutations: Exclude<MessageInitShape<typeof HeaderMutationSchema>, HeaderMutation>['mutations'] & object
): TypedExtensionConfig {
  return create(TypedExtensionConfigSchema, {
    name: 'envoy.http.early_header_mutation.header_mutation',
    typedConfig: anyPack(HeaderMutationSchema, create(HeaderMutationSchema, { mutations }))
  })
}

// No address has a privilege, and x-envoy-internal is added to nothing. An empty list would mean the private ones.
const NOBODY_INTERNAL = create(InternalAddressConfigSchema, { cidrRanges: [hostRange('255.255.255.255')] })

// x-forwarded-client-cert is set to `By=<own SPIFFE ID>;Hash=…;URI=<the peer's>` or removed: whatever the peer sent
// in it is gone either way.
const FORWARD_PEER: ManagerParts = {
  forwardClientCertDetails: ForwardClientCert.SANITIZE_SET,
  setCurrentClientCertDetails: create(SetCurrentClientCertDetailsSchema, { uri: true })
}
const DROP_PEER: ManagerParts = { forwardClientCertDetails: ForwardClientCert.SANITIZE }

function httpFilter(direction: Direction, options: HttpOptions, parts: ManagerParts): Filter {
  return filterOf(
    create(HttpConnectionManagerSchema, {
      codecType: CodecType.AUTO,
      statPrefix: direction,
      routeSpecifier: options.routes,
      httpFilters: [ROUTER],
      accessLog: [requestLog(direction)],
      upgradeConfigs: [{ upgradeType: 'websocket' }, ...(options.connect ? [{ upgradeType: 'CONNECT' }] : [])],
      // Time limits are the application's business: each of these has a default that ends something long but healthy.
      streamIdleTimeout: NEVER,
      // Both ends are the application's: nothing is added to what it sends and gets, and x-forwarded-* stays as it was.
      useRemoteAddress: false,
      internalAddressConfig: NOBODY_INTERNAL,
      earlyHeaderMutationExtensions: [WITHOUT_FORGERIES],
      generateRequestId: false,
      serverHeaderTransformation: ServerHeader.PASS_THROUGH,
      // Methods that nobody registered are refused: letting them in is, to Envoy, outside of its threat model.
      httpProtocolOptions: { acceptHttp10: true },
      // WebSockets over HTTP/2 (RFC 8441).
      http2ProtocolOptions: { allowConnect: true },
      localReplyConfig: localReply(direction),
      ...parts
    })
  )
}

/** For what the proxy itself answers. */
export function plainHttp(
  statPrefix: string,
  routeConfig: RouteConfiguration,
  filters: readonly HttpFilter[] = []
): Filter {
  const manager = create(HttpConnectionManagerSchema, {
    codecType: CodecType.AUTO,
    statPrefix,
    routeSpecifier: { case: 'routeConfig', value: routeConfig },
    httpFilters: [...filters, ROUTER],
    generateRequestId: false,
    internalAddressConfig: NOBODY_INTERNAL
  })
  return filterOf(manager)
}

/**
 * For what the kubelet asks the application through the proxy. Anybody can ask there, in the clear, so nobody becomes
 * anybody by a header.
 */
export function probeHttp(statPrefix: string, routeConfig: RouteConfiguration, filters: readonly HttpFilter[]): Filter {
  return filterOf(
    create(HttpConnectionManagerSchema, {
      codecType: CodecType.HTTP1,
      statPrefix,
      routeSpecifier: { case: 'routeConfig', value: routeConfig },
      httpFilters: [...CLAIM_REMOVING_FILTERS, ...filters, ROUTER],
      // The kubelet has a time limit for each probe, and ends its connection.
      streamIdleTimeout: NEVER,
      // What has no end is no probe: whoever sends it must not hold a connection for ever.
      requestTimeout: milliseconds(10_000),
      useRemoteAddress: false,
      internalAddressConfig: NOBODY_INTERNAL,
      earlyHeaderMutationExtensions: [WITHOUT_FORGERIES, NO_LOCAL_PORT],
      generateRequestId: false,
      serverHeaderTransformation: ServerHeader.PASS_THROUGH,
      localReplyConfig: PROBE_REPLY,
      ...DROP_PEER
    })
  )
}

const filterOf = (manager: HttpConnectionManager): Filter =>
  create(FilterSchema, {
    name: 'envoy.filters.network.http_connection_manager',
    configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) }
  })

const ROUTER: HttpFilter = create(HttpFilterSchema, {
  name: 'envoy.filters.http.router',
  configType: {
    case: 'typedConfig',
    value: anyPack(RouterSchema, create(RouterSchema, { suppressEnvoyHeaders: true }))
  }
})
