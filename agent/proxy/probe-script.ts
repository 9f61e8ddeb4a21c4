import { create, type JsonObject } from '@bufbuild/protobuf'
import { type Any, anyPack } from '@bufbuild/protobuf/wkt'
import { LuaPerRouteSchema, LuaSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/lua/v3/lua_pb.js'
import {
  type HttpFilter,
  HttpFilterSchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { GRPC_SCRIPT } from './probe-grpc.ts'
import { TCP_SCRIPT } from './probe-tcp.ts'

const LUA = 'envoy.filters.http.lua'
const SCRIPTS = { grpc: GRPC_SCRIPT, tcp: TCP_SCRIPT } as const

/** Runs the scripts of the probes that say so by `scripted`, and lets others alone. */
export const PROBE_SCRIPTS: HttpFilter = create(HttpFilterSchema, {
  name: LUA,
  configType: {
    case: 'typedConfig',
    value: anyPack(
      LuaSchema,
      create(LuaSchema, {
        // The route is chosen by what the kubelet asked, and not again by what a script makes of it.
        clearRouteCache: false,
        sourceCodes: Object.fromEntries(
          Object.entries(SCRIPTS).map(([name, value]) => [
            name,
            { specifier: { case: 'inlineString', value } as const }
          ])
        )
      })
    )
  }
})

/** Of a route: which script is run, and what it is told. */
export function scripted(name: keyof typeof SCRIPTS, filterContext: JsonObject = {}): Record<string, Any> {
  const value = create(LuaPerRouteSchema, { override: { case: 'name', value: name }, filterContext })
  return { [LUA]: anyPack(LuaPerRouteSchema, value) }
}
