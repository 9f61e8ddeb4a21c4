import { create } from '@bufbuild/protobuf'
import { type Any, anyPack } from '@bufbuild/protobuf/wkt'
import { TypedExtensionConfigSchema } from '../../shared/proto/gen/envoy/config/core/v3/extension_pb.js'
import {
  HeaderMatcherSchema,
  InternalRedirectPolicySchema,
  type Route,
  RouteSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { LuaSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/lua/v3/lua_pb.js'
import { UpstreamCodecSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec_pb.js'
import {
  type HttpFilter,
  HttpFilterSchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { TcpConnectionPoolProtoSchema } from '../../shared/proto/gen/envoy/extensions/upstreams/http/tcp/v3/tcp_connection_pool_pb.js'

// Whether an application accepts connections is asked at the moment of the probe, by a connection of its own. Envoy's
// TCP upstream answers 200 as soon as it is connected, but ends that answer only when the application does, and passes
// on what the application says: a way in. So the answer becomes a redirect within the proxy, for which the router
// drops the connection and answers itself.

const CONNECTED = '/app-health'
// Goes from the redirect into the request that follows it; from requests of others it is removed, as x-envoy-* is.
const PROOF = 'x-envoy-connected'

const REDIRECTION = `
function envoy_on_response(handle)
  local headers = handle:headers()
  headers:replace(":status", "302")
  headers:replace("${PROOF}", "yes")
  headers:replace("location", "http://countersign${CONNECTED}")
end
`

/**
 * Lets no request with a body pass. A kubelet sends none, and the application would read it as what is said to it: a
 * way in past mutual TLS. That there is one is not always to be seen from the headers that routes are chosen by.
 */
export const TCP_SCRIPT = `
function envoy_on_request(handle)
  if handle:body() ~= nil then
    handle:respond({ [":status"] = "400" }, "countersign: a probe has no body\\n")
  end
end
`

/** Of a cluster: a request only opens a connection, and a connection is a redirect to `CONNECTED_ROUTE`. */
export const CONNECTING = {
  upstreamConfig: create(TypedExtensionConfigSchema, {
    name: 'envoy.upstreams.http.tcp',
    typedConfig: anyPack(TcpConnectionPoolProtoSchema, create(TcpConnectionPoolProtoSchema))
  })
}

const upstreamFilter = (name: string, value: Any): HttpFilter =>
  create(HttpFilterSchema, { name, configType: { case: 'typedConfig', value } })

/** Filters of such a cluster. */
export const CONNECTING_FILTERS: readonly HttpFilter[] = [
  upstreamFilter(
    // Not the name that the filter usually has: by it, the route names another script, for the filter before it.
    'countersign.connected',
    anyPack(
      LuaSchema,
      create(LuaSchema, { defaultSourceCode: { specifier: { case: 'inlineString', value: REDIRECTION } } })
    )
  ),
  upstreamFilter('envoy.filters.http.upstream_codec', anyPack(UpstreamCodecSchema, create(UpstreamCodecSchema)))
]

/** Of a route to such a cluster. */
export const FOLLOW_TO_CONNECTED = create(InternalRedirectPolicySchema, {
  maxInternalRedirects: 1,
  redirectResponseCodes: [302],
  responseHeadersToCopy: [PROOF]
})

/** What is answered after a connection, and to nobody who merely asks for it. */
export const CONNECTED_ROUTE: Route = create(RouteSchema, {
  match: {
    pathSpecifier: { case: 'path', value: CONNECTED },
    headers: [
      create(HeaderMatcherSchema, {
        name: PROOF,
        headerMatchSpecifier: { case: 'presentMatch', value: true }
      })
    ]
  },
  action: {
    case: 'directResponse',
    value: {
      status: 200,
      body: { specifier: { case: 'inlineString', value: 'countersign: the application accepts connections\n' } }
    }
  }
})
