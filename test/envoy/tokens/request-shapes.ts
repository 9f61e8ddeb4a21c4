import { setTimeout as pause } from 'node:timers/promises'
import type { Conversation } from '../calls.ts'

/** What a request says, in whatever shape. */
export interface ShapedRequest {
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
}

/** One way to write a request, right or wrong, so that something on its way may not take it for HTTP. */
export interface RequestShape {
  readonly title: string
  /** Written one after the other, with pauses between. */
  readonly parts: (request: ShapedRequest) => readonly (string | Buffer)[]
  readonly pauseMs?: number
  /** Whether it is legal HTTP, which an authorized client is served; undefined: a server may take it or not. */
  readonly legal?: boolean
}

// Longer than the inspectors of a listener wait for the first bytes.
const BEYOND_INSPECTION_MS = 2_300

interface LineParts {
  readonly method?: string
  readonly version?: string
  readonly between?: string
  readonly target?: (path: string) => string
  readonly more?: readonly (readonly [string, string])[]
}

const http1 =
  ({ method = 'GET', version = ' HTTP/1.1', between = ' ', target = path => path, more = [] }: LineParts = {}) =>
  ({ path, headers }: ShapedRequest): string =>
    [
      `${method}${between}${target(path)}${version}`,
      'host: orders.shop',
      ...[...headers, ...more].map(([name, value]) => `${name}: ${value}`),
      '\r\n'
    ].join('\r\n')

const preceded =
  (by: string | Buffer) =>
  (request: ShapedRequest): readonly Buffer[] => [Buffer.concat([Buffer.from(by), Buffer.from(http1()(request))])]
const only =
  (write: (request: ShapedRequest) => string) =>
  (request: ShapedRequest): readonly string[] => [write(request)]

const PROXY_V2 = Buffer.concat([
  Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
  Buffer.from([0x21, 0x11, 0, 12, 127, 0, 0, 1, 127, 0, 0, 1, 0, 80, 0, 80])
])

export const REQUEST_SHAPES: readonly RequestShape[] = [
  { title: 'as it should be', parts: only(http1()), legal: true },
  { title: 'after an empty line', parts: preceded('\r\n'), legal: true },
  { title: 'after four empty lines', parts: preceded('\r\n\r\n\r\n\r\n') },
  { title: 'after two line feeds', parts: preceded('\n\n') },
  { title: 'after a carriage return', parts: preceded('\r') },
  { title: 'after an empty line and a pause', parts: r => ['\r\n', http1()(r)], pauseMs: 50, legal: true },
  { title: 'in HTTP/1.0', parts: only(http1({ version: ' HTTP/1.0' })), legal: true },
  { title: 'in HTTP/0.9', parts: only(http1({ version: '' })), legal: false },
  { title: 'in HTTP/0.9 without headers', parts: ({ path }) => [`GET ${path}\r\n\r\n`], legal: false },
  { title: 'in HTTP/1.9', parts: only(http1({ version: ' HTTP/1.9' })) },
  { title: 'in HTTP/3.0', parts: only(http1({ version: ' HTTP/3.0' })) },
  { title: 'in a lower-case version', parts: only(http1({ version: ' http/1.1' })) },
  { title: 'with a method in lower case', parts: only(http1({ method: 'get' })) },
  { title: 'with a method in mixed case', parts: only(http1({ method: 'Get' })) },
  { title: 'with a method that nobody registered', parts: only(http1({ method: 'FETCH' })) },
  { title: 'with the method QUERY', parts: only(http1({ method: 'QUERY' })) },
  { title: 'with two spaces after the method', parts: only(http1({ between: '  ' })) },
  { title: 'with a tab after the method', parts: only(http1({ between: '\t' })) },
  { title: 'after a space', parts: preceded(' ') },
  { title: 'after a tab', parts: preceded('\t') },
  { title: 'after a NUL', parts: preceded('\0') },
  { title: 'after a byte order mark', parts: preceded('\ufeff') },
  { title: 'after the start of a TLS record', parts: preceded(Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 0])) },
  { title: 'with line feeds alone', parts: r => [http1()(r).replaceAll('\r\n', '\n')] },
  {
    title: 'with a target of 20,000 bytes',
    parts: only(http1({ target: path => `${path}?${'x'.repeat(20_000)}` })),
    legal: true
  },
  { title: 'in absolute form', parts: only(http1({ target: path => `http://orders.shop${path}` })), legal: true },
  { title: 'as CONNECT', parts: r => [`CONNECT orders.shop:80 HTTP/1.1\r\nhost: orders.shop:80\r\n\r\n${http1()(r)}`] },
  {
    title: 'after the line of a PROXY protocol',
    parts: preceded('PROXY TCP4 127.0.0.1 127.0.0.1 80 80\r\n'),
    legal: false
  },
  { title: 'after the binary header of a PROXY protocol', parts: preceded(PROXY_V2), legal: false },
  { title: 'before which there is a pause', parts: r => ['', http1()(r)], pauseMs: BEYOND_INSPECTION_MS, legal: true },
  {
    title: 'with a pause after the first byte',
    parts: r => [http1()(r).slice(0, 1), http1()(r).slice(1)],
    pauseMs: BEYOND_INSPECTION_MS,
    legal: true
  },
  {
    title: 'with a pause in the version',
    parts: r => [`GET ${r.path} HTT`, http1()(r).slice(`GET ${r.path} HTT`.length)],
    pauseMs: BEYOND_INSPECTION_MS,
    legal: true
  },
  { title: 'with a pause after each byte of its line', parts: byteByByte, pauseMs: 100, legal: true },
  {
    title: 'with an upgrade to HTTP/2',
    parts: only(
      http1({
        more: [
          ['connection', 'Upgrade, HTTP2-Settings'],
          ['upgrade', 'h2c'],
          ['http2-settings', 'AAMAAABkAAQAAP__']
        ]
      })
    )
  },
  {
    title: 'with an upgrade to something unknown',
    parts: only(
      http1({
        more: [
          ['connection', 'upgrade'],
          ['upgrade', 'foo']
        ]
      })
    )
  },
  {
    title: 'with an upgrade to a WebSocket',
    parts: only(
      http1({
        more: [
          ['connection', 'upgrade'],
          ['upgrade', 'websocket'],
          ['sec-websocket-version', '13'],
          ['sec-websocket-key', 'AAAAAAAAAAAAAAAAAAAAAA==']
        ]
      })
    )
  },
  {
    title: 'that nominates its forged headers as hop-by-hop',
    parts: r => [http1({ more: [['connection', ['close', ...nominated(r)].join(', ')]] })(r)]
  },
  { title: 'in HTTP/2', parts: r => [http2(r)], legal: true },
  {
    title: 'in HTTP/2 with a pause within its preface',
    parts: r => [http2(r).subarray(0, 10), http2(r).subarray(10)],
    pauseMs: BEYOND_INSPECTION_MS
  },
  { title: 'in HTTP/1.1 after the preface of HTTP/2', parts: r => [PREFACE, http1()(r)], pauseMs: 50, legal: false }
]

/** Those without long pauses. */
export const QUICK_SHAPES: readonly RequestShape[] = REQUEST_SHAPES.filter(({ pauseMs = 0 }) => pauseMs < 100)

const nominated = ({ headers }: ShapedRequest): readonly string[] =>
  headers.map(([name]) => name).filter(name => name !== 'authorization')

function byteByByte(request: ShapedRequest): readonly string[] {
  const text = http1()(request)
  const line = text.indexOf('\r\n')
  return [...text.slice(0, line), text.slice(line)]
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** Preface, empty SETTINGS and one HEADERS frame (RFC 9113), its fields as literals (RFC 7541, section 6.2.2). */
function http2({ path, headers }: ShapedRequest): Buffer {
  const fields = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'orders.shop'],
    [':path', path],
    ...headers.map(([name, value]) => [name.toLowerCase(), value])
  ]
  const block = Buffer.concat(fields.flatMap(([name = '', value = '']) => [Buffer.from([0]), text(name), text(value)]))
  return Buffer.concat([Buffer.from(PREFACE), frame(4, 0, 0, Buffer.alloc(0)), frame(1, 0x05, 1, block)])
}

function text(value: string): Buffer {
  const length = [Math.min(value.length, 127)]
  // RFC 7541, section 5.1.
  if (value.length >= 127) {
    let rest = value.length - 127
    for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128)
    length.push(rest)
  }
  return Buffer.concat([Buffer.from(length), Buffer.from(value, 'latin1')])
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Writes a request in this shape, waits for an answer or the end of the connection, and closes it. */
export async function sendShape(
  conversation: Conversation,
  shape: RequestShape,
  request: ShapedRequest
): Promise<void> {
  try {
    for (const [index, part] of shape.parts(request).entries()) {
      if (index > 0) await pause(shape.pauseMs)
      conversation.write(part)
    }
    await conversation.whole(isAnswer).catch(() => {})
  } finally {
    conversation.close()
  }
}

/** The head of an answer of HTTP/1, or a HEADERS frame, or what ends an HTTP/2 connection. */
const isAnswer = (all: string): boolean => (all.startsWith('HTTP/1') ? all.includes('\r\n\r\n') : holdsAnswerFrame(all))

function holdsAnswerFrame(all: string): boolean {
  const bytes = Buffer.from(all, 'latin1')
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3))
    if ([1, 3, 7].includes(bytes[at + 3] ?? 0)) return true
  return false
}

const AT_ONCE = 32

/** Sends each case by `send`: those whose shape has long pauses together, the others a few at a time. */
export async function sendEach<Case extends { readonly shape: RequestShape }>(
  cases: readonly Case[],
  send: (each: Case) => Promise<void>
): Promise<void> {
  const isSlow = ({ shape }: Case): boolean => !QUICK_SHAPES.includes(shape)
  const quick = cases.filter(each => !isSlow(each))
  const slow = Promise.all(cases.filter(isSlow).map(send))
  for (let at = 0; at < quick.length; at += AT_ONCE) await Promise.all(quick.slice(at, at + AT_ONCE).map(send))
  await slow
}
