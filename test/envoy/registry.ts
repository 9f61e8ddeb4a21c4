import { createRegistry, type Registry } from '@bufbuild/protobuf'
import { StringValueSchema } from '@bufbuild/protobuf/wkt'
import { ClusterSchema } from '../../shared/proto/gen/envoy/config/cluster/v3/cluster_pb.js'
import { TypedExtensionConfigSchema } from '../../shared/proto/gen/envoy/config/core/v3/extension_pb.js'
import { ClusterLoadAssignmentSchema } from '../../shared/proto/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { ListenerSchema } from '../../shared/proto/gen/envoy/config/listener/v3/listener_pb.js'
import { RouteConfigurationSchema } from '../../shared/proto/gen/envoy/config/route/v3/route_pb.js'
import { ExpressionFilterSchema } from '../../shared/proto/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'
import { HttpGrpcAccessLogConfigSchema } from '../../shared/proto/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js'
import { StdoutAccessLogSchema } from '../../shared/proto/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js'
import { HeaderMutationSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js'
import { JwtAuthenticationSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { LuaPerRouteSchema, LuaSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/lua/v3/lua_pb.js'
import { OAuth2Schema } from '../../shared/proto/gen/envoy/extensions/filters/http/oauth2/v3/oauth_pb.js'
import { RouterSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import { UpstreamCodecSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec_pb.js'
import { HttpInspectorSchema } from '../../shared/proto/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js'
import { OriginalDstSchema } from '../../shared/proto/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js'
import { TlsInspectorSchema } from '../../shared/proto/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import { HttpConnectionManagerSchema } from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { TcpProxySchema } from '../../shared/proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { HeaderMutationSchema as EarlyHeaderMutationSchema } from '../../shared/proto/gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.js'
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema
} from '../../shared/proto/gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js'
import { PreviousHostsPredicateSchema } from '../../shared/proto/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'
import { RawBufferSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js'
import { SecretSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema
} from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { SPIFFECertValidatorConfigSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js'
import { TcpConnectionPoolProtoSchema } from '../../shared/proto/gen/envoy/extensions/upstreams/http/tcp/v3/tcp_connection_pool_pb.js'
import { HttpProtocolOptionsSchema } from '../../shared/proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { IPMatcherSchema } from '../../shared/proto/gen/xds/type/matcher/v3/ip_pb.js'
import { TypedStructSchema } from '../../shared/xds/index.ts'

/** Every message that a configuration may hold in a google.protobuf.Any, and the resources themselves. */
export const envoyRegistry: Registry = createRegistry(
  ApplicationProtocolInputSchema,
  ClusterSchema,
  ClusterLoadAssignmentSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
  DownstreamTlsContextSchema,
  EarlyHeaderMutationSchema,
  ExpressionFilterSchema,
  HeaderMutationSchema,
  HttpConnectionManagerSchema,
  HttpGrpcAccessLogConfigSchema,
  HttpInspectorSchema,
  HttpProtocolOptionsSchema,
  IPMatcherSchema,
  JwtAuthenticationSchema,
  ListenerSchema,
  LuaPerRouteSchema,
  LuaSchema,
  OAuth2Schema,
  OriginalDstSchema,
  PreviousHostsPredicateSchema,
  RawBufferSchema,
  RouteConfigurationSchema,
  RouterSchema,
  SPIFFECertValidatorConfigSchema,
  SecretSchema,
  StdoutAccessLogSchema,
  StringValueSchema,
  TcpConnectionPoolProtoSchema,
  TcpProxySchema,
  TlsInspectorSchema,
  TypedExtensionConfigSchema,
  TypedStructSchema,
  UpstreamCodecSchema,
  UpstreamTlsContextSchema
)
