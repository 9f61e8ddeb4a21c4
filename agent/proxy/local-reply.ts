import { create } from '@bufbuild/protobuf'
import { type HeaderValueOption, HeaderValueOptionSchema } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import {
  type LocalReplyConfig,
  LocalReplyConfigSchema,
  ResponseMapperSchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { Direction } from './access-log.ts'
import { UNDELIVERED_HEADER } from './undelivered.ts'

/** Who is answered: a peer or the application, or the kubelet. */
type Reader = Direction | 'probe'

/**
 * What is said where a request fails here, by response flag. Envoy's own sentences neither tell who speaks nor why.
 * Outbound, the reader is the pod's own application, and gets the reason; inbound, it is the peer, and does not; the
 * kubelet would have learnt the address by connecting to it.
 */
const SENTENCES: Readonly<Record<Reader, Readonly<Record<string, string>>>> = {
  outbound: {
    UF: 'no connection to %UPSTREAM_CLUSTER%: %UPSTREAM_TRANSPORT_FAILURE_REASON%',
    UH: '%UPSTREAM_CLUSTER% has no endpoint'
  },
  inbound: {
    UF: 'the application does not accept connections at %DOWNSTREAM_LOCAL_ADDRESS%'
  },
  probe: {
    UF: 'the application does not accept connections at %UPSTREAM_HOST%: %UPSTREAM_TRANSPORT_FAILURE_REASON%'
  }
}

/** What a proxy says to another, and not to people. */
const HEADERS: Readonly<Record<Reader, Readonly<Record<string, string>>>> = {
  outbound: {},
  inbound: { UF: UNDELIVERED_HEADER },
  probe: {}
}

export const localReply = (reader: Reader): LocalReplyConfig =>
  create(LocalReplyConfigSchema, {
    mappers: Object.entries(SENTENCES[reader]).map(([flag, sentence]) =>
      create(ResponseMapperSchema, {
        filter: { filterSpecifier: { case: 'responseFlagFilter', value: { flags: [flag] } } },
        headersToAdd: headersOf(HEADERS[reader][flag]),
        bodyFormatOverride: {
          format: {
            case: 'textFormatSource',
            value: { specifier: { case: 'inlineString', value: `countersign: ${sentence}\n` } }
          }
        }
      })
    )
  })

const headersOf = (name: string | undefined): HeaderValueOption[] =>
  name === undefined ? [] : [create(HeaderValueOptionSchema, { header: { key: name, value: 'true' } })]
