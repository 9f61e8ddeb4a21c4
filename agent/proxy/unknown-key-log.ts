import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { type AccessLog, AccessLogSchema } from '../../shared/proto/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import { ApiVersion } from '../../shared/proto/gen/envoy/config/core/v3/config_source_pb.js'
import { HttpGrpcAccessLogConfigSchema } from '../../shared/proto/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js'
import { expressionFilter } from './access-log.ts'
import { milliseconds } from './duration.ts'
import { NAMES } from './names.ts'

// Envoy's words for it (source/extensions/filters/http/jwt_authn, ResponseCodeDetails); other refusals are the caller's.
const UNKNOWN_KEY = `response.code_details.startsWith("jwt_authn_access_denied{Jwks_doesn't_have_key_to_match")`

/**
 * Tells the agent, within a tenth of a second, of requests that were refused because no key fits their token: the
 * issuer may have a new one. The filter itself has no such signal.
 */
export const UNKNOWN_KEY_LOG: AccessLog = create(AccessLogSchema, {
  name: 'envoy.access_loggers.http_grpc',
  filter: expressionFilter(UNKNOWN_KEY),
  configType: {
    case: 'typedConfig',
    value: anyPack(
      HttpGrpcAccessLogConfigSchema,
      create(HttpGrpcAccessLogConfigSchema, {
        commonConfig: {
          logName: 'unknown-key',
          grpcService: { targetSpecifier: { case: 'envoyGrpc', value: { clusterName: NAMES.cluster.agent } } },
          transportApiVersion: ApiVersion.V3,
          bufferFlushInterval: milliseconds(100)
        }
      })
    )
  }
})
