import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { KubeObject } from '../../shared/kube/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { LeaderElector } from './index.ts'

const silent = createLogger('test', 'fatal')

/** What happens to what a machine sends, and to what it is answered. */
export interface Network {
  /** Milliseconds until a request is there, and as many until its answer is. */
  readonly delayMs: number
  readonly requestsLost: boolean
  readonly answersLost: boolean
  /** The API server answers 500. */
  readonly failing: boolean
}

const WELL: Network = { delayMs: 5, requestsLost: false, answersLost: false, failing: false }

/** One Lease at an API server, and machines whose clocks, networks and lives can be troubled. Time is true time. */
export class Cluster {
  readonly clock = new FakeClock()
  lease: KubeObject | undefined
  #version = 0
  #born = 0

  create(object: object): KubeObject {
    if (this.lease !== undefined) throw answered(409)
    return this.#store({ ...object, uid: `uid-${++this.#version}` })
  }

  get(): KubeObject {
    if (this.lease === undefined) throw answered(404)
    return this.lease
  }

  replace(object: object): KubeObject {
    const { resourceVersion } = (object as KubeObject).metadata
    if (this.get().metadata.resourceVersion !== resourceVersion) throw answered(409)
    return this.#store(object)
  }

  delete(): void {
    this.lease = undefined
  }

  nextIdentity(name: string): string {
    return `${name}_${++this.#born}`
  }

  #store(object: object): KubeObject {
    const stored = structuredClone(object) as KubeObject
    this.lease = { ...stored, metadata: { ...stored.metadata, resourceVersion: String(++this.#version) } }
    return this.lease
  }
}

export class Machine {
  readonly name: string
  network = WELL
  elector: LeaderElector | undefined
  readonly #cluster: Cluster
  readonly #random: () => number
  #wallOffset = 0
  #suspendedAt: number | undefined
  #suspendedMs = 0
  #waking: (() => void)[] = []
  /** Of the process that runs now: what belongs to another one does not happen any more. */
  #life = {}

  constructor(cluster: Cluster, name: string, random: () => number = () => 0.5) {
    this.#cluster = cluster
    this.name = name
    this.#random = random
  }

  /** What a bystander with true time sees: it runs, and acts as the leader. */
  get leads(): boolean {
    return this.#suspendedAt === undefined && this.elector?.isLeader === true
  }

  start(): LeaderElector {
    if (this.elector !== undefined) return this.elector
    const life = {}
    this.#life = life
    const clock: Clock = {
      now: () => this.#cluster.clock.now() + this.#wallOffset,
      after: (delayMs, callback) => this.#cluster.clock.after(delayMs, () => this.#whenAwake(life, callback))
    }
    this.elector = new LeaderElector({
      client: {
        get: (_path, signal) => this.#ask(life, () => this.#cluster.get(), signal),
        create: (_path, object, _manager, signal) => this.#ask(life, () => this.#cluster.create(object), signal),
        replace: (_path, object, _manager, signal) => this.#ask(life, () => this.#cluster.replace(object), signal)
      },
      namespace: 'system',
      leaseName: 'lease',
      identity: this.#cluster.nextIdentity(this.name),
      clock,
      monotonic: () => this.#monotonic(),
      random: this.#random,
      log: silent
    })
    return this.elector
  }

  async shutDown(): Promise<void> {
    const elector = this.elector
    this.elector = undefined
    await elector?.close()
  }

  crash(): void {
    this.#life = {}
    this.elector = undefined
    this.#waking = []
  }

  suspend(): void {
    this.#suspendedAt ??= this.#cluster.clock.now()
  }

  resume(): void {
    if (this.#suspendedAt === undefined) return
    this.#suspendedMs += this.#cluster.clock.now() - this.#suspendedAt
    this.#suspendedAt = undefined
    for (const callback of this.#waking.splice(0)) callback()
  }

  setWallClock(byMs: number): void {
    this.#wallOffset += byMs
  }

  trouble(network: Partial<Network>): void {
    this.network = { ...WELL, ...network }
  }

  /** Stands still while the machine is suspended. */
  #monotonic(): number {
    const now = this.#cluster.clock.now()
    return now - this.#suspendedMs - (this.#suspendedAt === undefined ? 0 : now - this.#suspendedAt)
  }

  #whenAwake(life: object, callback: () => void): void {
    const own = (): void => {
      if (life === this.#life) callback()
    }
    if (this.#suspendedAt === undefined) own()
    else this.#waking.push(own)
  }

  /** What was sent arrives also when nobody waits for the answer any more. */
  #ask(life: object, apply: () => KubeObject, signal: AbortSignal | undefined): Promise<KubeObject> {
    const { delayMs, requestsLost, answersLost, failing } = this.network
    const { clock } = this.#cluster
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(unanswered())
      signal?.addEventListener('abort', () => reject(unanswered()), { once: true })
      if (requestsLost) return
      clock.after(delayMs, () => {
        const answer = failing ? { thrown: answered(500) } : attempt(apply)
        if (answersLost) return
        clock.after(delayMs, () =>
          this.#whenAwake(life, () => ('thrown' in answer ? reject(answer.thrown) : resolve(answer.value)))
        )
      })
    })
  }
}

function attempt(apply: () => KubeObject): { readonly value: KubeObject } | { readonly thrown: unknown } {
  try {
    return { value: apply() }
  } catch (thrown) {
    return { thrown }
  }
}

function answered(status: number): CountersignError {
  const code = status >= 500 ? 'ERR_KUBERNETES_UNAVAILABLE' : 'ERR_KUBERNETES_REFUSED'
  return new CountersignError(code, `status ${status}`, { facts: { status } })
}

const unanswered = (): CountersignError => new CountersignError('ERR_KUBERNETES_UNAVAILABLE', 'no answer')
