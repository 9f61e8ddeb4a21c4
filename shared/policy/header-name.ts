/** RFC 9110, section 5.6.2: what names of header fields are made of, and those of cookies (RFC 6265, section 4.1.1). */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/

/** What HTTP itself, the proxy or the login of the caller is made of, in lower case. */
const RESERVED: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'origin',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-request-id'
])
const RESERVED_PREFIXES = ['access-control-', 'content-', 'grpc-', 'sec-', 'x-countersign-', 'x-envoy-', 'x-forwarded-']

/**
 * Whether a header is somebody else's: whatever a client sends in a header that claims are put into is removed, so it
 * cannot be one that a request needs.
 */
export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase()
  return RESERVED.has(lower) || RESERVED_PREFIXES.some(prefix => lower.startsWith(prefix))
}
