import { create } from '@bufbuild/protobuf'
import {
  type AccessLogFilter,
  AccessLogFilterSchema
} from '../../shared/proto/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import {
  HeaderValueOption_HeaderAppendAction as HeaderAppendAction,
  type HeaderValueOption,
  HeaderValueOptionSchema
} from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import {
  type LocalReplyConfig,
  LocalReplyConfigSchema,
  type ResponseMapper,
  ResponseMapperSchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { type Direction, expressionFilter } from './access-log.ts'
import { INVALID_TOKEN, NO_TOKEN } from './token-challenge.ts'
import { SAFE_METHODS, UNDELIVERED_HEADER } from './undelivered.ts'

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
    mappers: [
      ...Object.entries(SENTENCES[reader]).map(([flag, sentence]) =>
        create(ResponseMapperSchema, {
          filter: flagged(flag),
          headersToAdd: headersOf(HEADERS[reader][flag]),
          bodyFormatOverride: {
            format: {
              case: 'textFormatSource',
              value: { specifier: { case: 'inlineString', value: `countersign: ${sentence}\n` } }
            }
          }
        })
      ),
      ...(reader === 'inbound' ? [BROKEN_OFF, ...CHALLENGES] : [])
    ]
  })

const flagged = (flag: string): AccessLogFilter =>
  create(AccessLogFilterSchema, {
    filterSpecifier: { case: 'responseFlagFilter', value: { flags: [flag] } }
  })

const headersOf = (name: string | undefined): HeaderValueOption[] =>
  name === undefined ? [] : [create(HeaderValueOptionSchema, { header: { key: name, value: 'true' } })]

// The application closed the connection instead of answering, as one that ends does to requests that are just arriving.
// Whether it heard the request, nobody knows.
const BROKEN_OFF: ResponseMapper = create(ResponseMapperSchema, {
  filter: {
    filterSpecifier: {
      case: 'andFilter',
      value: { filters: [flagged('UC'), expressionFilter(`request.method in ${JSON.stringify(SAFE_METHODS)}`)] }
    }
  },
  headersToAdd: headersOf(UNDELIVERED_HEADER)
})

// Envoy's own challenge repeats the URL, and with it a token that is a parameter; and it answers 403 to a token for
// another audience, for which there is 401 as for every other that is not good here (RFC 6750, section 3.1).
const CHALLENGES: readonly ResponseMapper[] = [
  ["response.code_details == 'jwt_authn_access_denied{Jwt_is_missing}'", NO_TOKEN],
  ["response.code_details.startsWith('jwt_authn_access_denied{')", INVALID_TOKEN]
].map(([expression = '', value = '']) =>
  create(ResponseMapperSchema, {
    filter: expressionFilter(expression),
    statusCode: 401,
    headersToAdd: [
      { header: { key: 'www-authenticate', value }, appendAction: HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD }
    ]
  })
)
