import { create } from '@bufbuild/protobuf'
import {
  type LocalReplyConfig,
  LocalReplyConfigSchema,
  ResponseMapperSchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { expressionFilter } from './access-log.ts'
import { localReply } from './local-reply.ts'

/** Name of every route of a hook. */
export const HOOK_ROUTE = 'hook'

// The kubelet takes any answer to a hook for a success, and only a failure to get one for a failure (Kubernetes 1.37,
// pkg/kubelet/lifecycle/handlers.go): a 503 that says why there is none would be taken for the application's. Envoy
// cannot refuse to answer, so it answers what Go's client cannot read: a Location that is no URL. A redirect to another
// host or to a scheme that does not exist would not do, for that the kubelet takes as it is, and for a success
// (pkg/probe/http, RedirectChecker). The user reads in the event: failed to parse Location header "countersign://no
// answer from 10.1.0.7:8080".
const NO_ANSWER = create(ResponseMapperSchema, {
  filter: expressionFilter(`xds.route_name == '${HOOK_ROUTE}'`),
  statusCode: 302,
  headersToAdd: [{ header: { key: 'location', value: 'countersign://no answer from %UPSTREAM_HOST%' } }],
  bodyFormatOverride: {
    format: {
      case: 'textFormatSource',
      value: {
        specifier: {
          case: 'inlineString',
          value: 'countersign: the application does not answer: %UPSTREAM_TRANSPORT_FAILURE_REASON%\n'
        }
      }
    }
  }
})

/** What the kubelet is told where the application says nothing. */
export const PROBE_REPLY: LocalReplyConfig = create(LocalReplyConfigSchema, {
  mappers: [NO_ANSWER, ...localReply('probe').mappers]
})
