import type { InventorySource } from '../../shared/inventory/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { SnapshotSource } from '../../shared/xds/index.ts'
import type { PodDirectory } from '../authentication/index.ts'
import {
  type KnownKeys,
  type KnownLoginSecrets,
  type MeshSettings,
  type MeshSnapshots,
  meshState,
  type NamingProblem,
  podDirectory,
  snapshots
} from '../naming/index.ts'
import { type MeshService, type RunServices, runServices } from './run-services.ts'

export interface MeshObserver {
  onMesh(counts: { services: number; workloads: number; problems: number }): void
}

interface Changing<T> {
  current(): T
  subscribe(listener: () => void): () => void
}

export interface LiveMeshOptions {
  readonly source: InventorySource
  readonly settings: MeshSettings
  /** What is known of the keys that policies name. */
  readonly keys: Changing<KnownKeys>
  /** What is known of the secrets that logins name. */
  readonly loginSecrets: Changing<KnownLoginSecrets>
  readonly observer: MeshObserver
  readonly log: Logger
}

/** Keeps the mesh state in step with its source, the keys and the secrets of logins. Everything happens at once when one of them changed. */
export class LiveMesh {
  readonly #options: LiveMeshOptions
  readonly #log: Logger
  readonly #listeners = new Set<() => void>()
  readonly #unsubscribe: readonly (() => void)[]
  #snapshots: MeshSnapshots
  #directory: PodDirectory
  #run: RunServices | undefined
  #told = new Set<string>()

  constructor(options: LiveMeshOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'mesh' })
    this.#snapshots = this.#compute()
    this.#directory = podDirectory(options.source.current())
    this.#report()
    this.#unsubscribe = [options.source, options.keys, options.loginSecrets].map(changing =>
      changing.subscribe(() => this.#update())
    )
  }

  /** The pods that there are now; the object stays right when they change. */
  readonly pods: PodDirectory = {
    pod: uid => this.#directory.pod(uid),
    podsOf: (account, node) => this.#directory.podsOf(account, node)
  }

  /** What the agent of a node is to be sent; subscribers hear of changes that concern that node. */
  forNode(node: string): SnapshotSource {
    return {
      current: () => this.#snapshots.forNode(node),
      subscribe: listener => {
        let last = this.#snapshots.forNode(node)
        const onChange = (): void => {
          const now = this.#snapshots.forNode(node)
          if (now === last) return
          last = now
          listener()
        }
        this.#listeners.add(onChange)
        return () => this.#listeners.delete(onChange)
      }
    }
  }

  /** Names of the key sets that a pod's tokens are verified with; none when there is no such pod on that node. */
  keySetsOf(node: string, podUid: string): readonly string[] {
    const workload = this.#snapshots.state.workloadsByNode.get(node)?.get(podUid)
    return [...new Set(workload?.endUsers?.providers.map(({ keySet }) => keySet))]
  }

  /** What the mesh's operator is to know; right when a subscriber of source or keys who came later is told. */
  get problems(): readonly NamingProblem[] {
    return this.#snapshots.state.problems
  }

  /** What agents are told of pods; right when `problems` is. */
  *workloads(): Generator<Workload> {
    for (const workloads of this.#snapshots.state.workloadsByNode.values()) yield* workloads.values()
  }

  /** The Services with those who run them; the same list until one of them changed, and right when `problems` is. */
  get services(): readonly MeshService[] {
    const { services } = this.#snapshots.state
    this.#run = runServices(services, this.#options.source.current().services, this.#run)
    return this.#run.run
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#listeners.clear()
  }

  #compute(previous?: MeshSnapshots): MeshSnapshots {
    const { source, settings, keys, loginSecrets } = this.#options
    const known = { keys: keys.current(), loginSecrets: loginSecrets.current() }
    return snapshots(meshState(source.current(), settings, previous?.state, known), known, previous)
  }

  #update(): void {
    this.#snapshots = this.#compute(this.#snapshots)
    this.#directory = podDirectory(this.#options.source.current())
    this.#report()
    for (const listener of [...this.#listeners]) listener()
  }

  #report(): void {
    const { services, workloadsByNode, problems } = this.#snapshots.state
    const workloads = [...workloadsByNode.values()].reduce((sum, { size }) => sum + size, 0)
    this.#options.observer.onMesh({ services: services.size, workloads, problems: problems.length })
    this.#tell(problems)
  }

  /** Each problem once, until it is gone. */
  #tell(problems: readonly NamingProblem[]): void {
    const now = new Set(problems.map(problem => JSON.stringify(problem)))
    for (const problem of problems)
      if (!this.#told.has(JSON.stringify(problem))) this.#log.warn({ ...problem }, 'a declaration cannot hold')
    this.#told = now
  }
}
