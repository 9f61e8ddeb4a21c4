import type { HttpProbe } from '../../shared/probes/index.ts'
import type { HttpGet } from './handler.ts'

/**
 * The request that the kubelet would send for an httpGet.
 *
 * Source: Kubernetes 1.37, pkg/probe/http/request.go, for hooks as well (pkg/kubelet/lifecycle/handlers.go).
 *
 * @param port the number that `httpGet.port` stands for
 */
export function httpQuestion(
  httpGet: HttpGet,
  port: number
): Pick<HttpProbe, 'protocol' | 'port' | 'path' | 'scheme' | 'host' | 'headers'> {
  const headers = (httpGet.httpHeaders ?? []).map(({ name, value }) => [name, value ?? ''] as const)
  const named = headers.find(([name]) => name.toLowerCase() === 'host')?.[1]
  const host = named || (httpGet.host ? `${inBrackets(httpGet.host)}:${port}` : undefined)
  return {
    protocol: 'http',
    port,
    path: requestPath(httpGet.path ?? '/'),
    scheme: httpGet.scheme === 'HTTPS' ? 'HTTPS' : 'HTTP',
    ...(host === undefined ? {} : { host }),
    headers: headers.filter(([name]) => !NOT_SENT.has(name.toLowerCase()))
  }
}

// Go's HTTP client writes these itself, whatever a header says (net/http, reqWriteExcludeHeader).
const NOT_SENT: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'trailer'])

const inBrackets = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** What stands in the request: no fragment, a slash at the start, and what is not allowed there percent-encoded. */
function requestPath(path: string): string {
  const [sent = ''] = path.split('#')
  const encoded = sent.replace(/[^!-~]+|[<>"\\^`{|}]+/g, part =>
    Buffer.from(part).toString('hex').toUpperCase().replace(/../g, '%$&')
  )
  return encoded.startsWith('/') ? encoded : `/${encoded}`
}
