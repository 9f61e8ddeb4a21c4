import type { KeyObject } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import type { SpiffeId } from '../../shared/identity/index.ts'
import type { Mesh, Service, TrustBundle } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { SecretSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { type Certificate, privateKeyToPem, toPem } from '../../shared/x509/index.ts'
import { createResource, type Resource } from '../../shared/xds/index.ts'
import { memoize, memoizePair } from './memoize.ts'
import { NAMES, peerSecretName, peersSecretName } from './names.ts'
import { validationContext } from './validation.ts'

/** What is needed of a pod's SVID. */
export interface PodSvid {
  readonly spiffeId: SpiffeId
  /** Leaf first, up to, not including, the root. */
  readonly chain: readonly Certificate[]
  readonly privateKey: KeyObject
}

/** A pod's certificate and key: as `default` and as its SPIFFE ID, the names that SPIRE and Istio serve. */
export const identitySecrets: (svid: PodSvid) => readonly Resource[] = memoize(svid => {
  const type = create(SecretSchema, {
    type: {
      case: 'tlsCertificate',
      value: {
        certificateChain: { specifier: { case: 'inlineString', value: toPem(svid.chain) } },
        privateKey: { specifier: { case: 'inlineString', value: privateKeyToPem(svid.privateKey) } }
      }
    }
  }).type
  return [NAMES.secret.identity, svid.spiffeId.toString()].map(name =>
    createResource(SecretSchema, name, { name, type })
  )
})

/**
 * Whom to trust: `ROOTCA` (the mesh's own domain), `ALL`, and one secret `spiffe://<trust domain>` for each domain.
 * The same for every pod.
 */
export const trustSecrets: (mesh: Mesh) => readonly Resource[] = memoize(mesh => {
  const bundles = usableBundles(mesh)
  return [
    trustSecret(NAMES.secret.ownTrust, ownBundles(mesh)),
    trustSecret(NAMES.secret.allTrust, bundles),
    ...bundles.map(bundle => trustSecret(`spiffe://${bundle.trustDomain}`, [bundle]))
  ]
})

/** Who may serve a Service. */
export const peersSecret: (mesh: Mesh, service: Service) => Resource = memoizePair((mesh, service) =>
  identitiesSecret(mesh, peersSecretName(service.namespace, service.name), service.identities)
)

/** Demands one SPIFFE ID and no other. */
export const peerSecret = (mesh: Mesh, identity: string): Resource =>
  identitiesSecret(mesh, peerSecretName(identity), [identity])

/**
 * Demands one of the identities. Roots of other trust domains than theirs are left out: what cannot be a peer has no say
 * in who is.
 */
function identitiesSecret(mesh: Mesh, name: string, identities: readonly string[]): Resource {
  const bundles = usableBundles(mesh).filter(({ trustDomain }) =>
    identities.some(identity => identity.startsWith(`spiffe://${trustDomain}/`))
  )
  return secretOf(name, validationContext(bundles.length > 0 ? bundles : ownBundles(mesh), identities))
}

/** Whether there is anything to verify a peer of the mesh against; without, no proxy can be configured. */
export function hasOwnTrust(mesh: Mesh): boolean {
  return ownBundles(mesh).length > 0
}

const ownBundles = (mesh: Mesh): readonly TrustBundle[] =>
  usableBundles(mesh).filter(({ trustDomain }) => trustDomain === mesh.trustDomain)

// Envoy refuses a domain that has no root, and a domain that is there twice; a domain without roots trusts nobody.
const usableBundles = memoize((mesh: Mesh): readonly TrustBundle[] => {
  const byDomain = new Map(mesh.trustBundles.map(bundle => [bundle.trustDomain, bundle]))
  return [...byDomain.values()].filter(({ roots }) => roots.length > 0)
})

const trustSecret = (name: string, bundles: readonly TrustBundle[]): Resource =>
  secretOf(name, validationContext(bundles))

function secretOf(name: string, context: ReturnType<typeof validationContext>): Resource {
  return createResource(SecretSchema, name, { name, type: { case: 'validationContext', value: context } })
}
