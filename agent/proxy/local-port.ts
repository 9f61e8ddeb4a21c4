import { HeaderValueOption_HeaderAppendAction as HeaderAppendAction } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import { likeHeader } from './header-spelling.ts'
import { smallRegex } from './regex.ts'

/**
 * Request header that holds the workload port the connection was going to, in decimal, while the filters of an inbound
 * connection manager run. Rules for tokens match on it, because Envoy's JWT filter can match on headers only. Every
 * inbound connection manager sets it, and removes it before the request is sent to the application.
 */
export const LOCAL_PORT_HEADER = 'x-countersign-port'

/** Early header mutations: what the client sent, in any spelling, is removed before the header is set. */
export const SET_LOCAL_PORT = [
  {
    action: {
      case: 'removeOnMatch',
      value: { keyMatcher: { matchPattern: smallRegex(likeHeader(LOCAL_PORT_HEADER)) } }
    }
  },
  {
    action: {
      case: 'append',
      value: {
        // After redirection this is the original destination, which the listener filter has restored.
        header: { key: LOCAL_PORT_HEADER, value: '%DOWNSTREAM_LOCAL_PORT%' },
        appendAction: HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
      }
    }
  }
] as const
