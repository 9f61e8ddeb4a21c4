import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../../agent/proxy/fixtures.test-support.ts'
import type { PodState } from '../../../agent/proxy/index.ts'
import {
  type EndUserChecks,
  EndUserChecksSchema,
  MutualTlsMode,
  Protocol
} from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { freePort } from '../../free-port.ts'
import { type Application, type Seen, startHttp2Application, startHttpApplication } from '../applications.ts'
import { type Conversation, open, openTls } from '../calls.ts'
import { type ExplicitPod, startExplicitPod } from '../explicit-pod.ts'

export type Checks = Exclude<MessageInitShape<typeof EndUserChecksSchema>, EndUserChecks>

/** What a client writes, as bytes; nothing in between makes it well. */
export interface Request {
  /** Default GET. */
  readonly method?: string
  /** Default `/`. */
  readonly target?: string
  /** Names and values, in order, each as it is written. */
  readonly headers?: readonly (readonly [string, string])[]
  /** Short for `Authorization: Bearer TOKEN`, before the other headers. */
  readonly token?: string
}

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What the application saw; undefined when it was never asked. */
  readonly seen: Seen | undefined
}

/** Ports of the pod: declared, and one of which nothing was said, where HTTP is recognised. */
const PORTS = {
  http: { protocol: Protocol.HTTP, start: startHttpApplication },
  http2: { protocol: Protocol.HTTP2, start: startHttp2Application },
  unknown: { protocol: Protocol.UNSPECIFIED, start: startHttpApplication }
} as const
export type PortName = keyof typeof PORTS
const PORT_NAMES = Object.keys(PORTS) as PortName[]

/** A pod with a real proxy that looks at the tokens of end users, and accepts mutual TLS and plain text. */
export interface TokenPod {
  readonly pod: ExplicitPod
  readonly address: string
  port(name: PortName): number
  /** Has it look at these tokens from now on; undefined: at none. */
  apply(
    checks: Checks | undefined,
    keySets?: Readonly<Record<string, string>>,
    loginSecrets?: Readonly<Record<string, string>>
  ): Promise<void>
  /** One HTTP/1.1 request on a connection of its own. */
  ask(request: Request, port?: PortName): Promise<Answer>
  /** The same over mutual TLS, by another workload of the mesh. */
  askAsPeer(request: Request): Promise<Answer>
  /** A connection that stays. */
  open(port?: PortName): Promise<Conversation>
  stop(): Promise<void>
}

/** `network`: the first three bytes of addresses that no other test uses. Stopped by its caller. */
export async function startTokenPod(network: string): Promise<TokenPod> {
  const [address, applicationAddress] = [`${network}.1`, `${network}.101`]
  const ports = new Map<PortName, number>()
  for (const name of PORT_NAMES) ports.set(name, await freePort(address, applicationAddress))
  const port = (name: PortName): number => ports.get(name) ?? 0

  const root = await newRoot()
  const peer = await newSvid(root, spiffeId('shop', 'storefront'))
  const workload = {
    addresses: [address],
    mode: MutualTlsMode.PERMISSIVE,
    ports: PORT_NAMES.map(name => ({ number: port(name), protocol: PORTS[name].protocol, reason: name }))
  }
  const podState: PodState = {
    workload: newWorkload(workload),
    svid: await newSvid(root, spiffeId('shop', 'orders')),
    interception: { kind: 'explicit', applicationAddress },
    probes: []
  }

  const applications: Application[] = []
  let pod: ExplicitPod | undefined
  const stop = async (): Promise<void> => {
    await pod?.stop()
    for (const application of applications) await application.stop()
  }
  try {
    for (const name of PORT_NAMES) applications.push(await PORTS[name].start(applicationAddress, port(name)))
    const started = await startExplicitPod(newState({ roots: [root] }), podState)
    pod = started
    return {
      pod: started,
      address,
      port,
      apply: (checks, keySets = {}, loginSecrets = {}) =>
        started.update(newState({ roots: [root], keySets, loginSecrets }), {
          ...podState,
          workload: newWorkload({
            ...workload,
            ...(checks === undefined ? {} : { endUsers: create(EndUserChecksSchema, checks) })
          })
        }),
      ask: async (request, name = 'http') => exchange(await open(address, port(name)), request),
      askAsPeer: async request => exchange(await openTls({ address, port: port('http'), svid: peer }), request),
      open: (name = 'http') => open(address, port(name)),
      stop
    }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

/** As it goes over the wire. */
export const written = ({ method = 'GET', target = '/', headers = [], token }: Request): Buffer =>
  Buffer.from(
    [
      `${method} ${target} HTTP/1.1`,
      'host: orders.shop',
      ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
      ...headers.map(([name, value]) => `${name}: ${value}`),
      '\r\n'
    ].join('\r\n'),
    'latin1'
  )

/** Of one answer (RFC 9112, section 6.3). */
function isComplete(text: string, method: string | undefined): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return false
  const head = text.slice(0, end)
  if (method === 'HEAD' || head.startsWith('HTTP/1.1 101')) return true
  if (/^transfer-encoding: chunked$/im.test(head)) return text.endsWith('\r\n0\r\n\r\n')
  return text.length - end - 4 >= Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0)
}

async function exchange(conversation: Conversation, request: Request): Promise<Answer> {
  try {
    conversation.write(written(request))
    return parsed(await conversation.whole(text => isComplete(text, request.method)))
  } finally {
    conversation.close()
  }
}

function parsed(text: string): Answer {
  const end = text.indexOf('\r\n\r\n')
  const [status = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    lines.map(line => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
  )
  const body = text.slice(end + 4)
  // Chunks, where there are some: the JSON is in one.
  const json = /\{"protocol".*\}/s.exec(body)?.[0]
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(status)?.[1] ?? 0),
    headers,
    body,
    seen: json === undefined ? undefined : JSON.parse(json)
  }
}
