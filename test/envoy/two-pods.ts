import {
  newEndpoints,
  newRoot,
  newService,
  newState,
  newSvid,
  newWorkload,
  spiffeId
} from '../../agent/proxy/fixtures.test-support.ts'
import type { MeshState, PodState } from '../../agent/proxy/index.ts'
import { type Endpoints, MutualTlsMode, Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Issuer } from '../../shared/x509/index.ts'
import { freePort } from '../free-port.ts'
import {
  type Application,
  startHttp2Application,
  startHttpApplication,
  startTcpApplication,
  startTlsApplication
} from './applications.ts'
import { type ExplicitPod, startExplicitPod } from './explicit-pod.ts'

const { STRICT, PERMISSIVE, DISABLE } = MutualTlsMode
const { HTTP, HTTP2, TCP, TLS, UNSPECIFIED } = Protocol

type Start = (address: string, port: number) => Promise<Application>

/** What the server pod offers: the port of its Services, what is spoken there, what is accepted, and who answers. */
const OFFERS = {
  http: { servicePort: 80, protocol: HTTP, mode: STRICT, start: startHttpApplication },
  permissiveHttp: { servicePort: 81, protocol: HTTP, mode: PERMISSIVE, start: startHttpApplication },
  disabledHttp: { servicePort: 82, protocol: HTTP, mode: DISABLE, start: startHttpApplication },
  http2: { servicePort: 83, protocol: HTTP2, mode: STRICT, start: startHttp2Application },
  tcp: { servicePort: 84, protocol: TCP, mode: STRICT, start: startTcpApplication },
  permissiveTcp: { servicePort: 85, protocol: TCP, mode: PERMISSIVE, start: startTcpApplication },
  greetingTcp: {
    servicePort: 86,
    protocol: TCP,
    mode: PERMISSIVE,
    start: (address, port) => startTcpApplication(address, port, 'welcome\n')
  },
  tls: { servicePort: 87, protocol: TLS, mode: STRICT, start: startTlsApplication },
  permissiveTls: { servicePort: 88, protocol: TLS, mode: PERMISSIVE, start: startTlsApplication },
  /** Nobody listens there. */
  closed: { servicePort: 89, protocol: HTTP, mode: STRICT, start: undefined },
  /** Of these, nothing was said. */
  unknownHttp: { servicePort: 90, protocol: UNSPECIFIED, mode: PERMISSIVE, start: startHttpApplication },
  strictUnknownHttp: { servicePort: 91, protocol: UNSPECIFIED, mode: STRICT, start: startHttpApplication },
  disabledUnknownHttp: { servicePort: 92, protocol: UNSPECIFIED, mode: DISABLE, start: startHttpApplication },
  unknownHttp2: { servicePort: 93, protocol: UNSPECIFIED, mode: PERMISSIVE, start: startHttp2Application },
  unknownTls: { servicePort: 94, protocol: UNSPECIFIED, mode: PERMISSIVE, start: startTlsApplication },
  unknownTcp: {
    servicePort: 95,
    protocol: UNSPECIFIED,
    mode: PERMISSIVE,
    start: (address, port) => startTcpApplication(address, port, 'welcome\n')
  }
} as const satisfies Record<
  string,
  { servicePort: number; protocol: Protocol; mode: MutualTlsMode; start: Start | undefined }
>
export type Offer = keyof typeof OFFERS
const OFFER_NAMES = Object.keys(OFFERS) as Offer[]

export const SERVER_ID = spiffeId('shop', 'orders').toString()
export const CLIENT_ID = spiffeId('shop', 'storefront').toString()

/**
 * A client's pod and a server's, with real proxies and applications, and Services in the client's namespace that all
 * lead to the server, each in its own way:
 *
 * - orders: as it should be
 * - impostor: whoever serves it should be somebody else
 * - nobody: no identity may serve it
 * - clear: its endpoints are said to have no proxy
 * - bare: the application itself, past its proxy
 * - empty: no endpoints
 */
export interface TwoPods {
  readonly root: Issuer
  /** Root of the trust domain other.test, which the mesh accepts. */
  readonly foreignRoot: Issuer
  readonly state: MeshState
  readonly server: ExplicitPod
  readonly serverPod: PodState
  readonly client: ExplicitPod
  readonly clientPod: PodState
  /** The port of an offer on the server's address. */
  port(offer: Offer): number
  /** The port of its Services. */
  servicePort(offer: Offer): number
  /** Connections that the application of an offer has had. */
  connections(offer: Offer): number
  stop(): Promise<void>
}

/** `network`: the first three bytes of addresses that no other test uses, as 127.83.1. */
export async function startTwoPods(network: string): Promise<TwoPods> {
  const [serverAddress, serverApplication] = [`${network}.1`, `${network}.101`]
  const [clientAddress, clientApplication] = [`${network}.2`, `${network}.102`]
  const ports = new Map<Offer, number>()
  for (const offer of OFFER_NAMES) ports.set(offer, await freePort(serverAddress, serverApplication))
  const port = (offer: Offer): number => ports.get(offer) ?? 0

  const root = await newRoot()
  const foreignRoot = await newRoot()
  const endpointsAt = (address: string, mutualTls: (offer: Offer) => boolean): Endpoints =>
    newEndpoints(
      OFFER_NAMES.map(offer => ({
        servicePort: OFFERS[offer].servicePort,
        endpoints: [{ address, port: port(offer), mutualTls: mutualTls(offer) }]
      }))
    )
  const regular = endpointsAt(serverAddress, offer => OFFERS[offer].mode !== DISABLE)
  const servicePorts = Object.values(OFFERS).map(({ servicePort, protocol }) => ({
    number: servicePort,
    name: `port-${servicePort}`,
    protocol
  }))
  const serviceFor = (name: string, identities: readonly string[]) =>
    newService({ name, ports: servicePorts, identities: [...identities] })
  const state = newState({
    roots: [root],
    foreign: { 'other.test': foreignRoot },
    services: [
      serviceFor('orders', [SERVER_ID]),
      serviceFor('impostor', [spiffeId('shop', 'somebody-else').toString()]),
      serviceFor('nobody', []),
      serviceFor('clear', [SERVER_ID]),
      serviceFor('bare', [SERVER_ID]),
      serviceFor('empty', [SERVER_ID])
    ],
    endpoints: {
      'shop/orders': regular,
      'shop/impostor': regular,
      'shop/nobody': regular,
      'shop/clear': endpointsAt(serverAddress, () => false),
      'shop/bare': endpointsAt(serverApplication, () => false)
    }
  })
  const serverPod: PodState = {
    workload: newWorkload({
      addresses: [serverAddress],
      mode: STRICT,
      ports: OFFER_NAMES.map(offer => ({ number: port(offer), protocol: OFFERS[offer].protocol, reason: offer })),
      portModes: Object.fromEntries(OFFER_NAMES.map(offer => [port(offer), OFFERS[offer].mode]))
    }),
    svid: await newSvid(root, spiffeId('shop', 'orders')),
    interception: { kind: 'explicit', applicationAddress: serverApplication },
    probes: []
  }
  const clientPod: PodState = {
    workload: newWorkload({ uid: 'client', name: 'storefront-0', addresses: [clientAddress] }),
    svid: await newSvid(root, spiffeId('shop', 'storefront')),
    interception: { kind: 'explicit', applicationAddress: clientApplication },
    probes: []
  }

  const applications = new Map<Offer, Application>()
  const pods: ExplicitPod[] = []
  const stop = async (): Promise<void> => {
    for (const stoppable of [...pods, ...applications.values()]) await stoppable.stop()
  }
  try {
    for (const offer of OFFER_NAMES) {
      const application = await OFFERS[offer].start?.(serverApplication, port(offer))
      if (application !== undefined) applications.set(offer, application)
    }
    const server = await startExplicitPod(state, serverPod)
    pods.push(server)
    const client = await startExplicitPod(state, clientPod)
    pods.push(client)
    return {
      root,
      foreignRoot,
      state,
      server,
      serverPod,
      client,
      clientPod,
      port,
      servicePort: offer => OFFERS[offer].servicePort,
      connections: offer => applications.get(offer)?.connections ?? 0,
      stop
    }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}
