// Mesh state and pods for the tests of this room.

import { createHash } from 'node:crypto'
import { getCACertificates } from 'node:tls'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { parseTrustDomain, SpiffeId as Spiffe, type SpiffeId } from '../../shared/identity/index.ts'
import {
  type Endpoints,
  EndpointsSchema,
  KeySetSchema,
  LoginSecretSchema,
  MeshSchema,
  MutualTlsMode,
  Protocol,
  type Service,
  ServiceSchema,
  type Workload,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { createRoot, generateKeyPair, type Issuer, signCertificate, spkiOf } from '../../shared/x509/index.ts'
import type { MeshState } from './index.ts'
import type { PodSvid } from './secrets.ts'

const TRUST_DOMAIN = parseTrustDomain('mesh.test')
const HOUR_MS = 3_600_000

export const spiffeId = (namespace: string, account: string, trustDomain = TRUST_DOMAIN): SpiffeId =>
  Spiffe.workload(trustDomain, namespace, account)

export const newRoot = (): Promise<Issuer> =>
  createRoot({ commonName: 'test root', notBefore: Date.now() - HOUR_MS, notAfter: Date.now() + HOUR_MS })

export async function newSvid(root: Issuer, id: SpiffeId): Promise<PodSvid> {
  const { publicKey, privateKey } = await generateKeyPair()
  const leaf = signCertificate(
    { spiffeId: id, notBefore: Date.now() - HOUR_MS, notAfter: Date.now() + HOUR_MS, usage: 'workload' },
    spkiOf(publicKey),
    root
  )
  return { spiffeId: id, chain: [leaf], privateKey }
}

type ServiceInit = Exclude<MessageInitShape<typeof ServiceSchema>, Service>
type EndpointsInit = Exclude<MessageInitShape<typeof EndpointsSchema>, Endpoints>
type WorkloadInit = Exclude<MessageInitShape<typeof WorkloadSchema>, Workload>

/** Its identities are those of pods of its namespace, unless something else is said. */
export const newService = (init: ServiceInit): Service =>
  create(ServiceSchema, {
    namespace: 'shop',
    name: 'orders',
    ...init,
    podIdentities: init.podIdentities ?? init.identities ?? []
  })

export const newEndpoints = (ports: EndpointsInit['ports'] & object): Endpoints => create(EndpointsSchema, { ports })

export const newWorkload = (init: WorkloadInit): Workload =>
  create(WorkloadSchema, {
    uid: 'b1946ac9-0000-4000-8000-000000000001',
    namespace: 'shop',
    name: 'orders-0',
    serviceAccount: 'orders',
    addresses: ['10.1.0.7'],
    mode: MutualTlsMode.STRICT,
    ...init
  })

export interface StateInit {
  readonly roots: readonly Issuer[]
  readonly services?: readonly Service[]
  readonly endpoints?: Readonly<Record<string, Endpoints>>
  /** JWK Sets by name. */
  readonly keySets?: Readonly<Record<string, string>>
  /** Client secrets by name; what else there is, is made of them. */
  readonly loginSecrets?: Readonly<Record<string, string>>
  /** Trust domains beside `mesh.test`, with their roots. */
  readonly foreign?: Readonly<Record<string, Issuer>>
}

export const newState = ({
  roots,
  services = [],
  endpoints = {},
  keySets = {},
  loginSecrets = {},
  foreign = {}
}: StateInit): MeshState => ({
  mesh: create(MeshSchema, {
    trustDomain: TRUST_DOMAIN,
    clusterDomain: 'cluster.local',
    trustBundles: [
      { trustDomain: TRUST_DOMAIN, roots: roots.map(({ certificate }) => certificate.der) },
      ...Object.entries(foreign).map(([trustDomain, { certificate }]) => ({ trustDomain, roots: [certificate.der] }))
    ]
  }),
  services: new Map(services.map(service => [`${service.namespace}/${service.name}`, service])),
  endpoints: new Map(Object.entries(endpoints)),
  keySets: new Map(Object.entries(keySets).map(([name, jwks]) => [name, create(KeySetSchema, { jwks })])),
  webRoots: { pem: getCACertificates('default').join('\n') },
  loginSecrets: new Map(
    Object.entries(loginSecrets).map(([name, secret]) => [
      name,
      create(LoginSecretSchema, {
        clientSecret: Buffer.from(secret),
        hmacKey: createHash('sha256').update(secret).digest()
      })
    ])
  )
})

/** The same, where clients without a proxy may use TLS 1.2. */
export const withTls12 = (state: MeshState): MeshState => ({
  ...state,
  mesh: create(MeshSchema, { ...state.mesh, tls12WithoutProxy: true })
})

export const EVERY_PROTOCOL = [Protocol.TCP, Protocol.HTTP, Protocol.HTTP2, Protocol.TLS] as const

/** Services of every protocol and one port that declares none, with endpoints with and without a proxy. */
export function manyServices(count: number, family: 'ipv4' | 'ipv6'): Pick<StateInit, 'services' | 'endpoints'> {
  const address = (net: string, index: number): string =>
    family === 'ipv4' ? `10.${net}.${index >> 8}.${index & 255}` : `fd00:${net}::${(index + 1).toString(16)}`
  const services = Array.from({ length: count }, (_, index) =>
    newService({
      namespace: index % 2 === 0 ? 'shop' : 'billing',
      name: `service-${index}`,
      addresses: index % 7 === 6 ? [] : [address('96', index)],
      ports: [...EVERY_PROTOCOL, Protocol.UNSPECIFIED].map((protocol, port) => ({
        number: 80 + port,
        name: `port-${port}`,
        protocol
      })),
      identities: index % 5 === 4 ? [] : [spiffeId('shop', `account-${index}`).toString()]
    })
  )
  const endpoints = services.map((service, index): [string, Endpoints] => [
    `${service.namespace}/${service.name}`,
    newEndpoints([
      {
        servicePort: 80,
        endpoints: [
          { address: address('1', index), port: 8080, mutualTls: true },
          { address: address('2', index), port: 8080, mutualTls: false }
        ]
      }
    ])
  ])
  return { services, endpoints: Object.fromEntries(endpoints) }
}
