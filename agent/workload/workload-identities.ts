import type { Clock, Random } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { SpiffeId, type TrustDomain } from '../../shared/identity/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { type Certificate, signRenewalProof } from '../../shared/x509/index.ts'
import type { Volume } from '../volume/index.ts'
import { ConcurrencyLimit } from './concurrency-limit.ts'
import { firstAccepted, type Way } from './first-accepted.ts'
import type { IssuingPort, IssuingProof, RotationObserver, SvidStore } from './ports.ts'
import { Rotation, type RotationRequest } from './rotation.ts'
import type { Svid } from './svid.ts'

export interface WorkloadIdentitiesOptions {
  readonly trustDomain: TrustDomain
  readonly volumes: { current(): ReadonlyMap<string, Volume>; subscribe(listener: () => void): () => void }
  readonly authority: IssuingPort
  readonly store: { file(podUid: string): SvidStore; owners(): readonly string[] }
  /** Throws when a chain leads to no root that is trusted; does nothing while none is known. */
  readonly verify?: (chain: readonly Certificate[]) => void
  /** Life asked of the authority; its default unless given. */
  readonly lifetimeMs?: number
  /** How many requests may be under way at a time, 16 unless given: a node that starts must not flood the authority. */
  readonly inFlight?: number
  readonly observer?: RotationObserver
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

interface Pod {
  readonly volume: Volume
  readonly rotation: Rotation
}

const UNOBSERVED: RotationObserver = { issued() {}, failed() {} }

/** The identities of the pods of this node: one for each volume, for as long as it is there. */
export class WorkloadIdentities {
  readonly #options: WorkloadIdentitiesOptions
  readonly #log: Logger
  readonly #limit: ConcurrencyLimit
  readonly #pods = new Map<string, Pod>()
  readonly #listeners = new Set<(podUid: string) => void>()
  #unsubscribe = (): void => {}

  constructor(options: WorkloadIdentitiesOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'workload' })
    this.#limit = new ConcurrencyLimit(options.inFlight ?? 16)
  }

  /** Takes up what was stored of the pods that are there, and forgets what was stored of others. */
  start(): void {
    this.#unsubscribe = this.#options.volumes.subscribe(() => this.#follow())
    const present = this.#options.volumes.current()
    for (const podUid of this.#options.store.owners())
      if (!present.has(podUid)) this.#options.store.file(podUid).forget()
    this.#follow()
  }

  /** The pod's certificate, perhaps expired; undefined when it has none yet or is not on this node. */
  current(podUid: string): Svid | undefined {
    return this.#pods.get(podUid)?.rotation.current()
  }

  /** Every pod that has a volume here, with its certificate where it has one. */
  all(): ReadonlyMap<string, Svid | undefined> {
    return new Map([...this.#pods].map(([podUid, { rotation }]) => [podUid, rotation.current()]))
  }

  /** Calls `listener` whenever a pod's certificate has come, was replaced or is gone; the returned function ends that. */
  subscribe(listener: (podUid: string) => void): () => void {
    const own = (podUid: string): void => listener(podUid)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** How many pods wait for an answer of the authority. */
  get requesting(): number {
    return [...this.#pods.values()].filter(({ rotation }) => rotation.requesting).length
  }

  /** The authority is there again: what failed is tried soon. */
  hurry(): void {
    for (const { rotation } of this.#pods.values()) rotation.hurry()
  }

  /** The trusted roots have changed: what leads to none of them is renewed soon. */
  recheck(): void {
    for (const { rotation } of this.#pods.values()) rotation.recheck()
  }

  /** Ends every request and timer; what is stored stays for the next start. */
  close(): void {
    this.#unsubscribe()
    for (const { rotation } of this.#pods.values()) rotation.stop()
    this.#listeners.clear()
  }

  #follow(): void {
    const wanted = this.#options.volumes.current()
    for (const [podUid, pod] of [...this.#pods]) {
      const volume = wanted.get(podUid)
      if (volume === undefined || !isSamePod(volume, pod.volume)) this.#remove(podUid, pod)
    }
    for (const [podUid, volume] of wanted) {
      const pod = this.#pods.get(podUid)
      if (pod === undefined) this.#add(podUid, volume)
      else if (pod.volume !== volume) {
        this.#pods.set(podUid, { ...pod, volume })
        // It holds a fresh token, perhaps.
        pod.rotation.hurry()
      }
    }
  }

  #add(podUid: string, volume: Volume): void {
    const { trustDomain, store, verify, lifetimeMs, observer, clock, random } = this.#options
    const { namespace, name, serviceAccount } = volume.pod
    const rotation = new Rotation({
      spiffeId: SpiffeId.workload(trustDomain, namespace, serviceAccount),
      store: store.file(podUid),
      request: request => this.#limit.run(request.signal, () => this.#request(podUid, request)),
      verify: verify ?? (() => {}),
      lifetimeMs,
      onChange: () => this.#tell(podUid),
      observer: observer ?? UNOBSERVED,
      clock,
      random,
      log: this.#log.child({ pod: { uid: podUid, namespace, name } })
    })
    this.#pods.set(podUid, { volume, rotation })
    rotation.start()
  }

  #remove(podUid: string, pod: Pod): void {
    pod.rotation.stop()
    this.#pods.delete(podUid)
    this.#options.store.file(podUid).forget()
    this.#log.info({ pod: pod.volume.pod }, 'pod is gone; its key is forgotten')
    this.#tell(podUid)
  }

  #tell(podUid: string): void {
    for (const listener of [...this.#listeners]) listener(podUid)
  }

  /** The current key first: it needs no API server. The token where that is refused, or is worth nothing any more. */
  #request(podUid: string, { csr, current, sound, signal }: RotationRequest): Promise<readonly Certificate[]> {
    const { authority, lifetimeMs } = this.#options
    const issue = (proof: IssuingProof): Promise<readonly Certificate[]> =>
      authority.issue({ csr, podUid, proof, ...(lifetimeMs === undefined ? {} : { lifetimeMs }) }, signal)
    const token = this.#pods.get(podUid)?.volume.token
    const ways: Way<readonly Certificate[]>[] = []
    if (token !== undefined) ways.push({ name: 'token', attempt: () => issue({ kind: 'token', token }) })
    if (current !== undefined) {
      const attempt = (): Promise<readonly Certificate[]> =>
        issue({ kind: 'renewal', chain: current.chain, signature: signRenewalProof(current.privateKey, csr) })
      // As a last resort even when it looks expired: it may be this machine's clock that is wrong.
      ways.splice(sound ? 0 : ways.length, 0, { name: 'renewal', attempt })
    }
    if (ways.length === 0)
      throw new CountersignError(
        'ERR_VOLUME_INVALID',
        'the volume holds no token of the pod, and it has no certificate yet'
      )
    return firstAccepted(ways, err => err.code === 'ERR_AUTHORITY_REFUSED')
  }
}

function isSamePod(a: Volume, b: Volume): boolean {
  return a.pod.namespace === b.pod.namespace && a.pod.serviceAccount === b.pod.serviceAccount
}
