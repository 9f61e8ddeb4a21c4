import type { V1Pod, V1Service } from '@kubernetes/client-node'
import { KINDS } from '../applications/protocols/kinds.ts'
import { CONTAINER_SECURITY, INJECT } from './pods.ts'
import { protocolsPod, protocolsTemplate } from './protocols.ts'

/** Every pod of the suite is here, and what is injected is under STRICT, but for the one of `PERMISSIVE`. */
export const NAMESPACE = 'destinations'
export const PERMISSIVE = 'open'
/** A port of each pod of this app is excluded from its proxy. */
export const EXCLUDED = 'excluded'
/** Two pods of one Service, of which each has its ports elsewhere. */
export const VARIED = { 'varied-0': { http: 8080, tcp: 8084 }, 'varied-1': { http: 9090, tcp: 9094 } } as const
export const UDP_PORT = 5353

/** A datagram is answered with where it came from. */
const UDP_ECHO = `const socket = require('node:dgram').createSocket('udp6')
socket.on('message', (_, { address, port }) => socket.send(address, port, address))
socket.bind(${UDP_PORT})`

const metadataOf = (name: string): { readonly name: string; readonly namespace: string } => ({
  name,
  namespace: NAMESPACE
})

const strict = (name: string, spec: object): object => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: metadataOf(name),
  spec
})

export const namespaceObjects: readonly object[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { [INJECT]: 'enabled' } } },
  strict('default', { mtls: { mode: 'STRICT' } }),
  strict(PERMISSIVE, { selector: { matchLabels: { app: PERMISSIVE } }, mtls: { mode: 'PERMISSIVE' } })
]

const pod = (name: string, node: string, more: Parameters<typeof protocolsPod>[0]['more'] = {}): object[] =>
  protocolsPod({ namespace: NAMESPACE, name, node, injected: true, more })

const READINESS = { httpGet: { path: '/ready', port: KINDS.http.port }, periodSeconds: 1 }

const variedPods = Object.entries(VARIED).flatMap(([name, { http, tcp }]) =>
  pod(name, 'node1', {
    metadata: { labels: { varied: 'yes' } },
    container: {
      args: [`http=${http}`, `tcp=${tcp}`],
      ports: [
        { name: 'web', containerPort: http },
        { name: 'bytes', containerPort: tcp }
      ]
    }
  })
)

/** Pods that become Ready: by name, which is their account and label, too. */
export const podObjects: readonly object[] = [
  // Its token is not that of its proxy: it is for the Kubernetes API.
  ...pod('client', 'node0', { spec: { automountServiceAccountToken: true } }),
  ...protocolsPod({ namespace: NAMESPACE, name: 'outsider', node: 'node0', injected: false }),
  ...pod('near', 'node0', { container: { readinessProbe: READINESS } }),
  ...pod('far', 'node1', {
    container: { readinessProbe: READINESS },
    containers: [
      {
        name: 'udp',
        image: 'countersign.dev/test/protocols:1',
        command: ['node', '-e', UDP_ECHO],
        securityContext: CONTAINER_SECURITY
      }
    ]
  }),
  ...pod(PERMISSIVE, 'node1'),
  ...pod(EXCLUDED, 'node1', {
    metadata: { annotations: { 'countersign.dev/exclude-inbound-ports': String(KINDS.http.port) } }
  }),
  ...variedPods
]

export const READY_PODS = ['client', 'outsider', 'near', 'far', PERMISSIVE, EXCLUDED, ...Object.keys(VARIED)] as const

/** Two pods that know each other by name before either is Ready, which neither ever is. */
export function statefulObjects(name: string): object[] {
  const { metadata, spec } = protocolsTemplate({
    namespace: NAMESPACE,
    name,
    injected: true,
    more: { container: { readinessProbe: { exec: { command: ['node', '-e', 'process.exit(1)'] } } } }
  })
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadataOf(name) },
    service(name, { clusterIP: 'None', publishNotReadyAddresses: true, selector: { app: name } }),
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: metadataOf(name),
      spec: {
        serviceName: name,
        replicas: 2,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: { app: name } },
        template: { metadata, spec }
      }
    }
  ]
}

/** Calls a URL once, every minute, and ends: as well as the call did. */
export function cronObjects(name: string, url: string): object[] {
  const script = `fetch(${JSON.stringify(url)}).then(({ status }) => process.exit(status === 200 ? 0 : 1))`
  const { metadata, spec } = protocolsTemplate({
    namespace: NAMESPACE,
    name,
    injected: true,
    more: { spec: { restartPolicy: 'Never' }, container: { command: ['node', '-e', script] } }
  }) as Required<Pick<V1Pod, 'metadata' | 'spec'>>
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadataOf(name) },
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: metadataOf(name),
      spec: {
        schedule: '* * * * *',
        jobTemplate: { spec: { backoffLimit: 0, template: { metadata, spec } } }
      }
    }
  ]
}

const PORTS = [
  { name: 'http', port: KINDS.http.port },
  { name: 'tcp', port: KINDS.tcp.port }
]

/** A Service of the ports of HTTP and of bytes, unless `spec` says otherwise. */
export function service(name: string, spec: V1Service['spec']): V1Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: metadataOf(name), spec: { ports: PORTS, ...spec } }
}

/** Places behind a Service without a selector, all of one family; on the ports that it has, if it has any. */
export function slice(serviceName: string, addressType: 'IPv4' | 'IPv6', endpoint: object, hasPorts = true): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      ...metadataOf(`${serviceName}-${addressType.toLowerCase()}`),
      labels: { 'kubernetes.io/service-name': serviceName }
    },
    addressType,
    endpoints: [endpoint],
    ...(hasPorts ? { ports: PORTS } : {})
  }
}
