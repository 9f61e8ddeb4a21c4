// What a tenant may write in Services and EndpointSlices of its namespace, and whom it is aimed at.

import { type Manifest, pod, service } from '../../authority/naming/mesh.test-support.ts'
import type { Place } from './bystander.ts'

export const DB = 'spiffe://mesh.test/ns/shop/sa/db'
export const ADDRESS = { ipv4: '10.0.0.7', ipv6: 'fd00::7' } as const
const VIRTUAL = '10.96.0.7'
export const ELSEWHERE = '203.0.113.9'
export const PORT = 8080
export const OTHER_PORT = 9999

/** Calls whose end the tenant would like to decide. */
export const PLACES: Readonly<Record<string, Place>> = {
  'the victim over IPv4': { address: ADDRESS.ipv4, port: PORT },
  'the victim over IPv6': { address: ADDRESS.ipv6, port: PORT },
  'another port of the victim': { address: ADDRESS.ipv4, port: OTHER_PORT },
  'the Service of the victim': { address: VIRTUAL, port: 80 },
  'another port of that Service': { address: VIRTUAL, port: PORT },
  'a place that is no pod': { address: ELSEWHERE, port: PORT },
  'another port there': { address: ELSEWHERE, port: OTHER_PORT }
}

const victimPod = (change: Parameters<typeof pod>[0] = {}): Manifest => {
  const manifest = pod({ name: 'db-0', account: 'db', labels: { app: 'db' }, address: ADDRESS.ipv4, ...change })
  const status = { ...(manifest['status'] as object), podIPs: Object.values(ADDRESS).map(ip => ({ ip })) }
  return { ...manifest, status }
}
const PORTS = [{ name: 'http', port: 80, targetPort: PORT }]
const victimService = (spec: object = {}): Manifest =>
  service({
    name: 'db',
    selector: { app: 'db' },
    clusterIP: VIRTUAL,
    clusterIPs: [VIRTUAL, 'fd00:96::7'],
    ports: PORTS,
    ...spec
  })
const headless = victimService({ clusterIP: 'None', clusterIPs: ['None'], publishNotReadyAddresses: true })
/** The slices that the controllers make for the headless Service: of both families. */
const victimSlices = ([4, 6] as const).map(family =>
  sliceOf({
    namespace: 'shop',
    service: 'db',
    name: `db-${family}`,
    endpoints: [{ addresses: [ADDRESS[`ipv${family}`]], targetRef: { kind: 'Pod', name: 'db-0', uid: 'uid-db-0' } }],
    family
  })
)

export const VICTIMS: Readonly<Record<string, readonly Manifest[]>> = {
  'behind a Service': [victimService(), victimPod()],
  'behind a headless Service': [headless, victimPod(), ...victimSlices],
  'that is not ready': [victimService(), victimPod({ ready: false })],
  'that is shutting down': [victimService(), victimPod({ deleted: true })],
  'that has ended': [victimService(), victimPod({ phase: 'Succeeded' })],
  'without a Service': [victimPod()],
  'without a proxy': [victimService(), victimPod({ proxy: false })],
  'of a port that declares nothing': [
    victimService({ ports: [{ name: 'x', port: 80, targetPort: PORT }] }),
    victimPod()
  ],
  'of a pinned headless Service': [
    {
      ...headless,
      metadata: { ...(headless['metadata'] as object), annotations: { 'countersign.dev/service-accounts': 'db' } }
    },
    victimPod(),
    ...victimSlices
  ]
}

/** What an endpoint of the tenant says that it is. The tenant's own pod is mallory-0. */
export const TARGETS: Readonly<Record<string, object | undefined>> = {
  'without a targetRef': undefined,
  'with its own pod': { kind: 'Pod', name: 'mallory-0', uid: 'uid-mallory-0' },
  'with its own pod and namespace': { kind: 'Pod', namespace: 'TENANT', name: 'mallory-0', uid: 'uid-mallory-0' },
  'with the UID of its own pod alone': { kind: 'Pod', uid: 'uid-mallory-0' },
  'with the name of its own pod alone': { kind: 'Pod', name: 'mallory-0' },
  'with the pod of the victim': { kind: 'Pod', namespace: 'shop', name: 'db-0', uid: 'uid-db-0' },
  'with the pod of the victim and no namespace': { kind: 'Pod', name: 'db-0', uid: 'uid-db-0' },
  'with the UID of the victim and its own name': { kind: 'Pod', name: 'mallory-0', uid: 'uid-db-0' },
  'with its own UID and the namespace of the victim': {
    kind: 'Pod',
    namespace: 'shop',
    name: 'db-0',
    uid: 'uid-mallory-0'
  },
  'with the name of the victim alone': { kind: 'Pod', name: 'db-0' },
  'with a UID that nobody has': { kind: 'Pod', name: 'x', uid: 'uid-x' },
  'with an empty targetRef': {},
  'with a Node': { kind: 'Node', name: 'node-1', uid: 'uid-db-0' },
  'with a Service': { kind: 'Service', namespace: 'shop', name: 'db', uid: 'uid-mallory-0' },
  'with a pod in lower case': { kind: 'pod', name: 'mallory-0', uid: 'uid-mallory-0' }
}

export const OWN = { selector: {}, ports: [{ name: 'http', port: 80, targetPort: PORT }] }
/** The Service whose endpoints the tenant writes. */
export const SERVICES: Readonly<Record<string, Parameters<typeof service>[0]>> = {
  'a headless Service': { ...OWN, clusterIP: 'None' },
  'a Service with an address': { ...OWN, clusterIP: '10.96.66.6' },
  'a headless Service pinned to nobody': { ...OWN, clusterIP: 'None', pin: '' },
  'a Service pinned to nobody': { ...OWN, clusterIP: '10.96.66.6', pin: '' },
  'a headless Service pinned to its account': { ...OWN, clusterIP: 'None', pin: 'mallory' },
  'a headless Service pinned to the account of the victim': { ...OWN, clusterIP: 'None', pin: 'shop/db' },
  'a headless Service that publishes what is not ready': { ...OWN, clusterIP: 'None', publishNotReadyAddresses: true },
  'a headless Service that selects its own pod, too': { ...OWN, clusterIP: 'None', selector: { app: 'm' } },
  'a Service that declares TLS': {
    ...OWN,
    clusterIP: 'None',
    ports: [{ name: 'http', port: 80, appProtocol: 'https' }]
  },
  'a Service that declares TCP': { ...OWN, clusterIP: 'None', ports: [{ name: 'http', port: 80, appProtocol: 'tcp' }] },
  'a Service with the external address of the victim': {
    ...OWN,
    clusterIP: '10.96.66.6',
    externalIPs: [ADDRESS.ipv4, VIRTUAL]
  },
  'a LoadBalancer': { ...OWN, clusterIP: '10.96.66.6', type: 'LoadBalancer', loadBalancerIP: ADDRESS.ipv4 }
}

export const CONDITIONS: Readonly<Record<string, object | undefined>> = {
  'without conditions': undefined,
  ready: { ready: true, serving: true, terminating: false },
  'not ready': { ready: false, serving: false, terminating: false },
  'shutting down': { ready: true, serving: true, terminating: true }
}

export const CLAIMED: Readonly<Record<string, { readonly address: string; readonly family: 4 | 6 }>> = {
  'the address of the victim': { address: ADDRESS.ipv4, family: 4 },
  'the IPv6 address of the victim': { address: ADDRESS.ipv6, family: 6 },
  'the IPv6 address of the victim, spelled out': { address: 'FD00:0:0:0:0:0:0:0007', family: 6 },
  'the virtual address of the victim': { address: VIRTUAL, family: 4 },
  'a place that is no pod': { address: ELSEWHERE, family: 4 }
}

interface SliceOptions {
  readonly namespace: string
  readonly service: string
  readonly name: string
  readonly endpoints: readonly object[]
  readonly family?: 4 | 6
  readonly ports?: readonly number[]
}

export function sliceOf({ namespace, service, name, endpoints, family = 4, ports = [PORT] }: SliceOptions): Manifest {
  return {
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: `IPv${family}`,
    endpoints,
    ports: ports.map(port => ({ name: 'http', port }))
  }
}

/** Everything that the tenant writes in its namespace. */
export interface Attack {
  readonly namespace: string
  readonly target: object | undefined
  readonly service: Parameters<typeof service>[0]
  readonly conditions: object | undefined
  readonly claimed: { readonly address: string; readonly family: 4 | 6 }
  readonly port: number
  /** A second slice says that it is something else. */
  readonly second?: object | undefined
}

export function attack(
  { namespace, target, conditions, claimed, port, second, ...rest }: Attack,
  name = 'evil'
): readonly Manifest[] {
  const endpoint = (targetRef: object | undefined) => ({
    addresses: [claimed.address],
    ...(conditions === undefined ? {} : { conditions }),
    ...(targetRef === undefined
      ? {}
      : { targetRef: JSON.parse(JSON.stringify(targetRef).replace('TENANT', namespace)) })
  })
  const write = (slice: string, targetRef: object | undefined): Manifest =>
    sliceOf({
      namespace,
      service: name,
      name: slice,
      endpoints: [endpoint(targetRef)],
      family: claimed.family,
      ports: [port]
    })
  return [
    service({ ...rest.service, name, namespace }),
    write(`${name}-1`, target),
    ...(second === undefined ? [] : [write(`${name}-2`, second)])
  ]
}

export const mallory = (namespace: string): Manifest =>
  pod({ name: 'mallory-0', namespace, account: 'mallory', labels: { app: 'm' }, address: '10.0.1.66', node: 'node-2' })
