import type { Clock, Random } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { type Exclusions, exclusionsOf } from '../../shared/exclusions/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { Backoff, type Snapshot, type SnapshotSource, TYPE } from '../../shared/xds/index.ts'

/** Whoever puts the rules of a pod in place. */
export interface CapturePort {
  /**
   * Resolves when the rules are in place; harmless when they are already.
   *
   * @throws CountersignError
   */
  apply(podUid: string, exclusions: Exclusions): Promise<void>
}

/** What is known of the pods of this node, by UID. */
interface PodVolumes {
  current(): ReadonlyMap<string, { readonly attributes: Readonly<Record<string, string>> }>
}

export interface CaptureGateOptions {
  readonly capture: CapturePort
  /** Their attributes say what of a pod's traffic is left alone. */
  readonly volumes: PodVolumes
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

const GATED = [TYPE.listener, TYPE.cluster]

// The pod's sandbox is there when its proxy connects, so a failure is the other container's: gone for a moment.
const BACKOFF = { firstMs: 50, longestMs: 2_000 }

/**
 * Holds back listeners and clusters, stream by stream, until the pod's traffic is captured. Clusters, because those that
 * deliver do so from an address that the rules must let through: a proxy that runs already keeps what it has, and
 * delivers from the address that its present rules know.
 */
export class CaptureGate {
  readonly #options: CaptureGateOptions
  readonly #log: Logger

  constructor(options: CaptureGateOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'capture' })
  }

  /**
   * The source for one stream that has just been opened by `peer` (`pod:<uid>`), out of what there is for its pod;
   * undefined when there is nothing. Rules are asked for at once, and again until they are in place or the stream has
   * ended (its last subscription is gone).
   */
  sourceFor(peer: string, pods: { sourceFor(peer: string): SnapshotSource | undefined }): SnapshotSource | undefined {
    const podUid = peer.slice('pod:'.length)
    const source = pods.sourceFor(peer)
    // Kubernetes never changes the volumes of a pod: read once, they hold for the stream.
    const attributes = this.#options.volumes.current().get(podUid)?.attributes
    if (source === undefined || attributes === undefined) return undefined
    return new GatedSource(source, { uid: podUid, exclusions: exclusionsOf(attributes) }, this.#options, this.#log)
  }
}

interface CapturedPod {
  readonly uid: string
  readonly exclusions: Exclusions
}

class GatedSource implements SnapshotSource {
  readonly #source: SnapshotSource
  readonly #pod: CapturedPod
  readonly #options: CaptureGateOptions
  readonly #log: Logger
  readonly #backoff: Backoff
  readonly #listeners = new Set<() => void>()
  #unsubscribe = (): void => {}
  #cancelRetry = (): void => {}
  #captured = false
  #asking = false
  #last: { readonly of: Snapshot; readonly without: Snapshot } | undefined

  constructor(source: SnapshotSource, pod: CapturedPod, options: CaptureGateOptions, log: Logger) {
    this.#source = source
    this.#pod = pod
    this.#options = options
    this.#log = log
    this.#backoff = new Backoff(BACKOFF, options.random)
  }

  current(): Snapshot {
    const snapshot = this.#source.current()
    if (this.#captured) return snapshot
    if (this.#last?.of !== snapshot) this.#last = { of: snapshot, without: withoutGated(snapshot) }
    return this.#last.without
  }

  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    if (this.#listeners.size === 0) this.#begin()
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size === 0) this.#end()
    }
  }

  #begin(): void {
    this.#unsubscribe = this.#source.subscribe(() => this.#tell())
    void this.#ask()
  }

  #end(): void {
    this.#unsubscribe()
    this.#cancelRetry()
  }

  async #ask(): Promise<void> {
    if (this.#captured || this.#asking) return
    this.#asking = true
    const { uid, exclusions } = this.#pod
    try {
      await this.#options.capture.apply(uid, exclusions)
      this.#captured = true
      this.#log.debug({ pod: uid }, 'traffic is captured')
      this.#tell()
    } catch (thrown) {
      this.#retry(CountersignError.from(thrown))
    } finally {
      this.#asking = false
    }
  }

  #retry(err: CountersignError): void {
    if (this.#listeners.size === 0) return
    const retryMs = this.#backoff.nextMs()
    this.#log.warn(
      { err, pod: this.#pod.uid, retryMs },
      'traffic is not captured yet; listeners and clusters are withheld'
    )
    this.#cancelRetry = this.#options.clock.after(retryMs, () => void this.#ask())
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

function withoutGated({ types }: Snapshot): Snapshot {
  const rest = new Map(types)
  for (const type of GATED) rest.delete(type)
  return { types: rest }
}
