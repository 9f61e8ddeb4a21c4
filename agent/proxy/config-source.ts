import { create } from '@bufbuild/protobuf'
import {
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema
} from '../../shared/proto/gen/envoy/config/core/v3/config_source_pb.js'
import {
  type SdsSecretConfig,
  SdsSecretConfigSchema
} from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { NEVER } from './duration.ts'

/**
 * Over the agent's stream, and with no end to waiting. By default Envoy gives up after 15 s and goes on without: the
 * readiness port would open and the application start before its traffic is protected.
 */
export const FROM_AGENT: ConfigSource = create(ConfigSourceSchema, {
  configSourceSpecifier: { case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout: NEVER
})

export function secretFromAgent(name: string): SdsSecretConfig {
  return create(SdsSecretConfigSchema, { name, sdsConfig: FROM_AGENT })
}
