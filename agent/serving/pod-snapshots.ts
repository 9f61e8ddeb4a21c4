import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { Mesh, Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceMap, type Snapshot, type SnapshotSource, TYPE } from '../../shared/xds/index.ts'
import type { MeshState } from '../authority/index.ts'
import {
  composeSnapshot,
  type Interception,
  identitySecrets,
  type MeshState as KnownMesh,
  trustSecrets
} from '../proxy/index.ts'
import { APPLICATION_ADDRESS, type Volume } from '../volume/index.ts'
import type { Svid } from '../workload/index.ts'

export interface PodSnapshotsOptions {
  readonly volumes: { current(): ReadonlyMap<string, Volume>; subscribe(listener: () => void): () => void }
  readonly identities: {
    current(podUid: string): Svid | undefined
    subscribe(listener: (podUid: string) => void): () => void
  }
  readonly mesh: { current(): MeshState; subscribe(listener: () => void): () => void }
  readonly interception: Interception['kind']
  /** Roots of the web, as PEM: whom a proxy trusts to be an issuer of tokens. */
  readonly webRoots: string
  readonly log: Logger
}

/** What is being kept for one pod. */
interface Served {
  snapshot: Snapshot
  /** The last that the authority said of it: a proxy that runs goes on when the authority forgets the pod. */
  workload: Workload | undefined
  readonly listeners: Set<() => void>
  problem: string | undefined
}

const NOTHING: Snapshot = { types: new Map() }
const PEER = /^pod:(.+)$/

/**
 * The gate. A pod is given nothing until it has a certificate; then its certificate and whom to trust, for any client
 * of SDS; and everything once the mesh state says what it is. Types that are withheld get no answer, so its proxy is
 * not ready for exactly as long.
 */
export class PodSnapshots {
  readonly #options: PodSnapshotsOptions
  readonly #log: Logger
  readonly #webRoots: { readonly pem: string }
  readonly #served = new Map<string, Served>()
  readonly #unsubscribe: readonly (() => void)[]
  /** One object for all pods: what is encoded once is found by it. */
  #known: { readonly from: MeshState; readonly mesh: KnownMesh } | undefined

  constructor(options: PodSnapshotsOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'serving' })
    this.#webRoots = { pem: options.webRoots }
    this.#unsubscribe = [
      options.volumes.subscribe(() => this.#updateAll()),
      options.mesh.subscribe(() => this.#updateAll()),
      options.identities.subscribe(podUid => this.#update(podUid))
    ]
    this.#updateAll()
  }

  /** What the peer of a connection (`pod:<uid>`) is served; undefined when no such pod is on this node. */
  sourceFor(peer: string): SnapshotSource | undefined {
    const served = this.#served.get(PEER.exec(peer)?.[1] ?? '')
    if (served === undefined) return undefined
    return {
      current: () => served.snapshot,
      subscribe: listener => {
        const own = (): void => listener()
        served.listeners.add(own)
        return () => served.listeners.delete(own)
      }
    }
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#served.clear()
  }

  #updateAll(): void {
    const volumes = this.#options.volumes.current()
    for (const podUid of [...this.#served.keys()]) if (!volumes.has(podUid)) this.#served.delete(podUid)
    for (const podUid of volumes.keys()) this.#update(podUid)
  }

  #update(podUid: string): void {
    const volume = this.#options.volumes.current().get(podUid)
    if (volume === undefined) return
    const served = this.#served.get(podUid) ?? {
      snapshot: NOTHING,
      workload: undefined,
      listeners: new Set(),
      problem: undefined
    }
    this.#served.set(podUid, served)
    const mesh = this.#options.mesh.current()
    served.workload = mesh.workloads.get(podUid) ?? served.workload
    const snapshot = this.#compose(volume, served, mesh)
    if (snapshot === undefined || snapshot === served.snapshot) return
    served.snapshot = snapshot
    for (const listener of [...served.listeners]) listener()
  }

  /** Undefined: leave what there is. */
  #compose(volume: Volume, served: Served, state: MeshState): Snapshot | undefined {
    const svid = this.#options.identities.current(volume.pod.uid)
    const { mesh, synced } = state
    if (svid === undefined || mesh === undefined) return undefined
    const { workload } = served
    if (workload === undefined || !synced) return this.#secretsOnly(served, svid, mesh)
    try {
      const interception = this.#interceptionOf(volume)
      const { probes } = volume
      const snapshot = composeSnapshot(this.#knownMesh(state, mesh), { workload, svid, interception, probes })
      served.problem = undefined
      return snapshot
    } catch (thrown) {
      const err = CountersignError.from(thrown)
      if (served.problem !== err.message) this.#log.error({ err, pod: volume.pod }, 'proxy cannot be configured')
      served.problem = err.message
      return this.#secretsOnly(served, svid, mesh)
    }
  }

  /** Certificates go on being replaced in a proxy that has everything else already. */
  #secretsOnly({ snapshot }: Served, svid: Svid, mesh: Mesh): Snapshot {
    const before = snapshot.types.get(TYPE.secret)
    const secrets = new Map([...(before ?? []), ...resourceMap([...identitySecrets(svid), ...trustSecrets(mesh)])])
    return { types: new Map([...snapshot.types, [TYPE.secret, secrets]]) }
  }

  #knownMesh(from: MeshState, mesh: Mesh): KnownMesh {
    if (this.#known?.from !== from) {
      const { services, endpoints, keySets, loginSecrets } = from
      this.#known = { from, mesh: { mesh, services, endpoints, keySets, loginSecrets, webRoots: this.#webRoots } }
    }
    return this.#known.mesh
  }

  #interceptionOf(volume: Volume): Interception {
    const { interception } = this.#options
    if (interception === 'redirect') return { kind: 'redirect' }
    const applicationAddress = volume.attributes[APPLICATION_ADDRESS]
    if (applicationAddress === undefined)
      throw new CountersignError(
        'ERR_VOLUME_INVALID',
        `pod ${volume.pod.namespace}/${volume.pod.name} has no annotation ${APPLICATION_ADDRESS}: without redirection it must say where its application listens`
      )
    return { kind: 'explicit', applicationAddress }
  }
}
