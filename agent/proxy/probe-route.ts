import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type HttpProbe, isHook, type Probe, probePath } from '../../shared/probes/index.ts'
import {
  HeaderValueOption_HeaderAppendAction as Append,
  type HeaderValueOption,
  HeaderValueOptionSchema
} from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type Route,
  RouteActionSchema,
  RouteSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { inBrackets } from './address.ts'
import { NEVER } from './duration.ts'
import { probeClusterName } from './names.ts'
import { grpcQuestion, HEALTH_CHECK } from './probe-grpc.ts'
import { HOOK_ROUTE } from './probe-reply.ts'
import { scripted } from './probe-script.ts'
import { FOLLOW_TO_CONNECTED } from './probe-tcp.ts'

/**
 * One probe or hook: its very path without a query, so that nobody who finds the port asks the application for more,
 * and in return what the application's author wrote.
 *
 * @param podAddress which the kubelet would have asked, as an IPv4 or IPv6 literal
 */
export function probeRoute(probe: Probe, podAddress: string): Route {
  const asked = probePath(probe.container, probe.kind)
  const host = `${inBrackets(podAddress)}:${probe.port}`
  return create(RouteSchema, {
    ...(isHook(probe.kind) ? { name: HOOK_ROUTE } : {}),
    match: {
      pathSpecifier: { case: 'path', value: asked },
      headers: [exactly(':path', asked), exactly(':method', 'GET')]
    },
    ...question(probe, host),
    // The kubelet follows redirects of the pod, and would now ask the proxy for another path or the application in
    // plaintext. Without a target it takes a redirect for a success (pkg/probe/http, DoHTTPProbe; a hook: net/http).
    responseHeadersToRemove: ['location']
  })
}

type Question = Pick<Route, 'action'> &
  Partial<Pick<Route, 'requestHeadersToAdd' | 'requestHeadersToRemove' | 'typedPerFilterConfig'>>
type ActionInit = MessageInitShape<typeof RouteActionSchema>

function question(probe: Probe, host: string): Question {
  switch (probe.protocol) {
    case 'http': {
      const { path, headers } = probe
      return {
        action: action(probe, { prefixRewrite: path, ...literalHost(probe.host ?? host) }),
        // The proxy's own addition; removed first, so that a probe may say something else.
        requestHeadersToRemove: ['x-forwarded-proto', ...headers.filter(isOmission).map(([name]) => name)],
        requestHeadersToAdd: additions(headers.filter(header => !isOmission(header)))
      }
    }
    case 'tcp':
      return {
        action: action(probe, { internalRedirectPolicy: FOLLOW_TO_CONNECTED }),
        typedPerFilterConfig: scripted('tcp')
      }
    case 'grpc':
      return {
        action: action(probe, { prefixRewrite: HEALTH_CHECK, ...literalHost(host) }),
        typedPerFilterConfig: scripted('grpc', grpcQuestion(probe.service)),
        requestHeadersToRemove: ['x-forwarded-proto']
      }
  }
}

const literalHost = (value: string) => ({ hostRewriteSpecifier: { case: 'hostRewriteLiteral', value } }) as const

const action = (probe: Probe, more: ActionInit): Route['action'] => ({
  case: 'route',
  value: create(RouteActionSchema, {
    ...more,
    clusterSpecifier: { case: 'cluster', value: probeClusterName(probe) },
    timeout: NEVER
  })
})

const exactly = (name: string, value: string): HeaderMatcher =>
  create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value } } }
  })

type Header = HttpProbe['headers'][number]

// By an empty value, a probe says that these two, which the kubelet adds by itself, are not sent (pkg/probe/http).
const isOmission = ([name, value]: Header): boolean => value === '' && /^(accept|user-agent)$/i.test(name)

/** The first of a name takes the place of what the kubelet sent, each further one is another line. */
function additions(headers: readonly Header[]): HeaderValueOption[] {
  const seen = new Set<string>()
  return headers.map(([key, value]) => {
    const first = !seen.has(key.toLowerCase())
    seen.add(key.toLowerCase())
    return create(HeaderValueOptionSchema, {
      // A percent sign would be read as a command (Envoy, substitution formatter).
      header: { key, value: value.replaceAll('%', '%%') },
      appendAction: first ? Append.OVERWRITE_IF_EXISTS_OR_ADD : Append.APPEND_IF_EXISTS_OR_ADD,
      keepEmptyValue: true
    })
  })
}
