import assert from 'node:assert/strict'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import {
  ANY_NETWORK,
  assembleInventory,
  EMPTY_INVENTORY,
  type EndpointSlice,
  endpointSliceFromManifest,
  endpointsFromSelectors,
  endpointsFromSlices,
  type Inventory,
  indexPods,
  type Normalised,
  type PodNetworks,
  podFromManifest,
  resolveClaims,
  serviceFromManifest
} from '../../shared/inventory/index.ts'
import {
  parseEndUserAuthentication,
  parsePeerAuthentication,
  parseRequestAuthentication
} from '../../shared/policy/index.ts'
import type { MeshSettings } from './mesh-message.ts'

export const settings: MeshSettings = {
  trustDomain: parseTrustDomain('cluster.local'),
  bundles: [],
  clusterDomain: 'cluster.local',
  minimumTlsWithoutProxy: '1.3',
  rootNamespace: 'countersign-system',
  keySetName: ({ issuer, jwksUri, jwks }) => jwks ?? jwksUri ?? issuer
}

export type Manifest = Readonly<Record<string, unknown>> & { readonly kind: string }

export interface PodOptions {
  readonly name?: string
  readonly namespace?: string
  readonly account?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly node?: string | undefined
  readonly proxy?: boolean
  readonly address?: string
  readonly ready?: boolean
  readonly phase?: string
  readonly deleted?: boolean
  readonly ports?: readonly object[]
  readonly annotations?: Readonly<Record<string, string>>
  /** What is in the volume of its proxy; its annotations unless given, as the webhook copies them. */
  readonly attributes?: Readonly<Record<string, string>> | undefined
}

const PROXY = { name: 'countersign-proxy', restartPolicy: 'Always', volumeMounts: [{ name: 'countersign' }] }

/** A pod of the Service orders, running, ready, with a proxy, unless something else is said. */
export function pod(options: PodOptions = {}): Manifest {
  const { name = 'orders-1', namespace = 'shop', account = 'orders', labels = { app: 'orders' }, ports = [] } = options
  const { proxy = true, address = '10.0.0.1', ready = true, phase = 'Running', deleted = false } = options
  const { annotations = {}, attributes: volumeAttributes = annotations } = options
  const nodeName = 'node' in options ? options.node : 'node-1'
  return {
    kind: 'Pod',
    metadata: {
      ...{ name, namespace, uid: `uid-${name}`, labels, annotations },
      ...(deleted ? { deletionTimestamp: new Date(0) } : {})
    },
    spec: {
      nodeName,
      serviceAccountName: account,
      initContainers: proxy ? [PROXY] : [],
      containers: [{ name: 'app', ports }],
      volumes: proxy ? [{ name: 'countersign', csi: { driver: 'csi.countersign.dev', volumeAttributes } }] : []
    },
    status: { phase, podIP: address, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] }
  }
}

export interface ServiceOptions {
  readonly name?: string
  readonly namespace?: string
  readonly pin?: string
  readonly ports?: readonly object[]
  readonly selector?: object
  readonly [field: string]: unknown
}

/** The Service shop/orders: port 80, named http, to port 8080 of the pods labelled app: orders. */
export function service({ name = 'orders', namespace = 'shop', pin, ...spec }: ServiceOptions = {}): Manifest {
  const annotations = pin === undefined ? {} : { 'countersign.dev/service-accounts': pin }
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }]
  return {
    kind: 'Service',
    metadata: { name, namespace, annotations },
    spec: { selector: { app: 'orders' }, clusterIP: '10.96.0.1', ports, ...spec }
  }
}

/** Endpoints of a Service without a selector. */
export function slice(endpoints: readonly object[]): Manifest {
  return {
    kind: 'EndpointSlice',
    metadata: { name: 'orders-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'orders' } },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'http', port: 8080 }]
  }
}

export interface PolicyOptions {
  readonly namespace: string
  readonly name?: string
  readonly mode?: string
  readonly selector?: object
  readonly ports?: Readonly<Record<number, string>>
  /** Seconds since the epoch. */
  readonly created?: number
}

export function policy({ namespace, name = 'default', mode, selector, ports, created }: PolicyOptions): Manifest {
  const portLevelMtls = Object.fromEntries(Object.entries(ports ?? {}).map(([port, mode]) => [port, { mode }]))
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: {
      namespace,
      name,
      ...(created === undefined ? {} : { creationTimestamp: new Date(created * 1_000).toISOString() })
    },
    spec: {
      ...(selector === undefined ? {} : { selector: { matchLabels: selector } }),
      ...(mode === undefined ? {} : { mtls: { mode } }),
      ...(ports === undefined ? {} : { portLevelMtls })
    }
  }
}

export interface EndUserPolicyOptions {
  readonly namespace?: string
  readonly name?: string
  readonly selector?: object
  /** Seconds since the epoch. */
  readonly created?: number
  /** Beside the selector. */
  readonly spec?: object
}

const ISSUERS = { a: 'https://a.test', b: 'https://b.test' } as const

/** Of issuer a, unless its spec says otherwise. */
export const requestAuthentication = (options: EndUserPolicyOptions = {}): Manifest =>
  endUserPolicy('security.istio.io/v1', 'RequestAuthentication', { jwtRules: [{ issuer: ISSUERS.a }] }, options)

/** Of issuer b, unless its spec says otherwise. */
export const endUserAuthentication = (options: EndUserPolicyOptions = {}): Manifest =>
  endUserPolicy('countersign.dev/v1', 'EndUserAuthentication', { issuer: ISSUERS.b }, options)

function endUserPolicy(
  apiVersion: string,
  kind: string,
  defaults: object,
  { namespace = 'shop', name = 'web', selector, created, spec = {} }: EndUserPolicyOptions
): Manifest {
  return {
    apiVersion,
    kind,
    metadata: {
      namespace,
      name,
      ...(created === undefined ? {} : { creationTimestamp: new Date(created * 1_000).toISOString() })
    },
    spec: { ...defaults, ...spec, ...(selector === undefined ? {} : { selector: { matchLabels: selector } }) }
  }
}

/**
 * The inventory that these manifests make, out of the previous one where that is the same.
 *
 * @param networks of the Nodes; by default they are not checked
 */
export function inventoryOf(
  manifests: readonly Manifest[],
  previous: Inventory = EMPTY_INVENTORY,
  networks: PodNetworks = ANY_NETWORK
): Inventory {
  const of = (kind: string) => manifests.filter(manifest => manifest.kind === kind)
  const reported = of('Pod').map(manifest => goodValue(podFromManifest(manifest)))
  const services = of('Service').map(manifest => goodValue(serviceFromManifest(manifest)))
  const slices: readonly EndpointSlice[] = of('EndpointSlice').map(slice => goodValue(endpointSliceFromManifest(slice)))
  const { pods, mirrors } = resolveClaims(reported, { services, networks, previous: previous.pods })
  const index = indexPods(pods, mirrors)
  return assembleInventory(previous, {
    ...EMPTY_INVENTORY,
    pods,
    services,
    endpoints: [...endpointsFromSelectors(services, index), ...endpointsFromSlices(services, slices, index)],
    peerAuthentications: of('PeerAuthentication').map(parsePeerAuthentication),
    requestAuthentications: of('RequestAuthentication').map(parseRequestAuthentication),
    endUserAuthentications: of('EndUserAuthentication').map(parseEndUserAuthentication)
  })
}

function goodValue<T>({ value, issues }: Normalised<T>): T {
  assert.deepEqual(issues, [])
  assert.ok(value !== undefined)
  return value
}
