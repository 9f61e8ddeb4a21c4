import { KINDS } from '../applications/protocols/kinds.ts'
import { EXCLUDED, NAMESPACE, PERMISSIVE, service, slice, UDP_PORT } from './destinations-pods.ts'

const DUAL = { ipFamilyPolicy: 'RequireDualStack' }

/** The ports of nodes on which the Services of an app are, and another one, whose traffic stays on the node. */
export const NODE_PORTS = {
  near: { http: 30080, tcp: 30084 },
  [PERMISSIVE]: { http: 30180, tcp: 30184 },
  [EXCLUDED]: { http: 30280, tcp: 30284 },
  'open-local': { http: 30380, tcp: 30384 }
} as const
export type NodePortService = keyof typeof NODE_PORTS

const nodePortService = (name: NodePortService, app: string, more: object = {}): object => {
  const { http, tcp } = NODE_PORTS[name]
  return service(`${name}-port`, {
    ...DUAL,
    type: 'NodePort',
    selector: { app },
    ports: [
      { name: 'http', port: KINDS.http.port, nodePort: http },
      { name: 'tcp', port: KINDS.tcp.port, nodePort: tcp }
    ],
    ...more
  })
}

/** Every kind of Service of a pod that there is, but for ports of nodes. */
const servicesOf = (app: string): object[] => [
  service(app, { ...DUAL, selector: { app } }),
  service(`${app}-pods`, { ...DUAL, clusterIP: 'None', selector: { app } }),
  service(`${app}-ipv6`, { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv6'], selector: { app } })
]

/** Of a machine that is not of the cluster. */
interface Outside {
  readonly address: string
  readonly ipv6Address: string
}

export const serviceObjects = ({ address, ipv6Address }: Outside): readonly object[] => [
  ...servicesOf('near'),
  ...servicesOf('far'),
  nodePortService('near', 'near'),
  nodePortService(PERMISSIVE, PERMISSIVE),
  nodePortService(EXCLUDED, EXCLUDED),
  nodePortService('open-local', PERMISSIVE, { externalTrafficPolicy: 'Local' }),
  service('varied', {
    selector: { varied: 'yes' },
    ports: [
      { name: 'http', port: 80, targetPort: 'web' },
      { name: 'tcp', port: 81, targetPort: 'bytes' }
    ]
  }),
  service('udp', { ...DUAL, selector: { app: 'far' }, ports: [{ name: 'echo', port: UDP_PORT, protocol: 'UDP' }] }),
  // What is behind it is written by hand.
  service('machine', DUAL),
  slice('machine', 'IPv4', { addresses: [address] }),
  slice('machine', 'IPv6', { addresses: [ipv6Address] }),
  // A name and nothing else: without ports, it is no Service to a mesh.
  service('names', { clusterIP: 'None', ports: [] }),
  slice('names', 'IPv4', { addresses: [address], hostname: 'outside' }, false),
  external('alias', `far.${NAMESPACE}.svc.cluster.local`),
  external('alias-pods', `far-pods.${NAMESPACE}.svc.cluster.local`),
  external('alias-outside', `outside.names.${NAMESPACE}.svc.cluster.local`)
]

const external = (name: string, externalName: string): object =>
  service(name, { type: 'ExternalName', externalName, ports: [] })
