import { create } from '@bufbuild/protobuf'
import type { Floor } from '../../shared/floor/index.ts'
import type { TrustDomain } from '../../shared/identity/index.ts'
import type { TokenSource } from '../../shared/policy/index.ts'
import { type Mesh, MeshSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { TrustBundle } from '../../shared/x509/index.ts'
import type { Enrolment } from './enrolment.ts'

export type KeySetNames = (source: TokenSource) => string

export interface MeshSettings {
  readonly trustDomain: TrustDomain
  /** Of every trust domain that is accepted, the mesh's own among them. */
  readonly bundles: readonly TrustBundle[]
  /** For example `cluster.local`. */
  readonly clusterDomain: string
  /** Of TLS, for clients without a proxy that prove themselves; between proxies it is 1.3, always. */
  readonly minimumTlsWithoutProxy: '1.2' | '1.3'
  /** The namespace whose policies without a selector hold for the whole mesh. */
  readonly rootNamespace: string
  /** How the keys of a source of tokens are called; equal for sources whose keys are in the same place. */
  readonly keySetName: KeySetNames
  /** What namespaces may not undo; absent: nothing. */
  readonly floor?: Floor
  /** Which pods get certificates; absent: all, as outside Kubernetes. */
  readonly enrolment?: Enrolment
}

/** The order of bundles and roots has no meaning: they are sorted, so that equal sets are equal messages. */
export function meshMessage({ trustDomain, bundles, clusterDomain, minimumTlsWithoutProxy }: MeshSettings): Mesh {
  return create(MeshSchema, {
    trustDomain,
    clusterDomain,
    tls12WithoutProxy: minimumTlsWithoutProxy === '1.2',
    trustBundles: bundles
      .map(({ trustDomain, roots }) => ({ trustDomain, roots: roots.map(({ der }) => der).sort(Buffer.compare) }))
      .sort((a, b) => (a.trustDomain < b.trustDomain ? -1 : 1))
  })
}
