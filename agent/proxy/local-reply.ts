import { create } from '@bufbuild/protobuf'
import {
  type LocalReplyConfig,
  LocalReplyConfigSchema,
  ResponseMapperSchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { Direction } from './access-log.ts'

/**
 * What is said where a request fails here, by response flag. Envoy's own sentences neither tell who speaks nor why.
 * Outbound, the reader is the pod's own application, and gets the reason; inbound, it is the peer, and does not.
 */
const SENTENCES: Readonly<Record<Direction, Readonly<Record<string, string>>>> = {
  outbound: {
    UF: 'no connection to %UPSTREAM_CLUSTER%: %UPSTREAM_TRANSPORT_FAILURE_REASON%',
    UH: '%UPSTREAM_CLUSTER% has no endpoint'
  },
  inbound: {
    UF: 'the application does not accept connections at %DOWNSTREAM_LOCAL_ADDRESS%'
  }
}

export const localReply = (direction: Direction): LocalReplyConfig =>
  create(LocalReplyConfigSchema, {
    mappers: Object.entries(SENTENCES[direction]).map(([flag, sentence]) =>
      create(ResponseMapperSchema, {
        filter: { filterSpecifier: { case: 'responseFlagFilter', value: { flags: [flag] } } },
        bodyFormatOverride: {
          format: {
            case: 'textFormatSource',
            value: { specifier: { case: 'inlineString', value: `countersign: ${sentence}\n` } }
          }
        }
      })
    )
  })
