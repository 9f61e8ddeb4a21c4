import type { Client } from '@grpc/grpc-js'
import type { Clock, Random } from '../../shared/clock/index.ts'
import type { TrustDomain } from '../../shared/identity/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { AggregatedDiscoveryService } from '../../shared/proto/gen/envoy/service/discovery/v3/ads_pb.js'
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse
} from '../../shared/proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { bidiTransport } from '../../shared/rpc/index.ts'
import { DiscoveryClient, packResources, unpackResources } from '../../shared/xds/index.ts'
import { MESH_NAME, type MeshState, type MeshTypes, meshTypes } from './mesh-state.ts'
import { ReplaceableTransport } from './replaceable-transport.ts'

// Many changes come together when a Deployment rolls; one write a second is enough for what a restart can use.
const SAVE_DELAY_MS = 1_000

export interface MeshStreamOptions {
  readonly trustDomain: TrustDomain
  /** A client with the credentials of the moment; may throw while there are none. */
  readonly connect: () => Client
  readonly store: { load<T>(parse: (content: Uint8Array) => T): T | undefined; save(content: Uint8Array): void }
  /** The authority is heard again, or for the first time. */
  readonly onAnswered: () => void
  /** A stream ended without an answer: so many in a row, from 1. */
  readonly onUnanswered: (inARow: number) => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** The mesh state, as the authority streams it; what was kept of it is there at once. */
export class MeshStream {
  readonly #options: MeshStreamOptions
  readonly #types: MeshTypes
  readonly #transport: ReplaceableTransport<DeltaDiscoveryRequest, DeltaDiscoveryResponse>
  readonly #client: DiscoveryClient
  readonly #restored: boolean
  readonly #listeners = new Set<() => void>()
  readonly #unsubscribe: () => void
  #state: MeshState
  #cancelSave: (() => void) | undefined
  #unanswered = 0
  #lostAt: number | undefined

  constructor(options: MeshStreamOptions) {
    this.#options = options
    const { trustDomain, connect, store, clock, random, log } = options
    this.#types = meshTypes(trustDomain)
    const method = AggregatedDiscoveryService.method.deltaAggregatedResources
    this.#transport = new ReplaceableTransport(bidiTransport(method, connect), {
      onAnswered: () => {
        this.#unanswered = 0
        options.onAnswered()
      },
      onLost: () => {
        this.#lostAt = clock.now()
      },
      onUnanswered: () => {
        this.#unanswered += 1
        options.onUnanswered(this.#unanswered)
      }
    })
    const restored = store.load(unpackResources)
    this.#restored = restored !== undefined
    this.#client = new DiscoveryClient({
      types: Object.values(this.#types),
      transport: this.#transport,
      clock,
      random,
      log,
      ...(restored === undefined ? {} : { restored })
    })
    this.#state = this.#read()
    this.#unsubscribe = this.#client.subscribe(() => this.#follow())
  }

  /** Opens the stream with the credentials of this moment; one that is open is ended and another opened soon. */
  connect(): void {
    this.#transport.replace()
    this.#client.start()
  }

  current(): MeshState {
    return this.#state
  }

  /** Calls `listener` after every change of the state. */
  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** Whether the authority is being heard. */
  get connected(): boolean {
    return this.#client.connected
  }

  /**
   * For how long the state may have been out of date, in milliseconds: 0 while there is a stream, undefined when the
   * authority was not heard since this was made.
   */
  get ageMs(): number | undefined {
    if (this.connected) return 0
    return this.#lostAt === undefined ? undefined : Math.max(0, this.#options.clock.now() - this.#lostAt)
  }

  /** Ends the stream, and keeps what was not kept yet. */
  close(): void {
    this.#unsubscribe()
    this.#client.close()
    if (this.#cancelSave !== undefined) this.#save()
    this.#listeners.clear()
  }

  #follow(): void {
    this.#state = this.#read()
    // What is incomplete would be taken for complete after a restart.
    if (this.#state.synced) this.#cancelSave ??= this.#options.clock.after(SAVE_DELAY_MS, () => this.#save())
    for (const listener of [...this.#listeners]) listener()
  }

  #read(): MeshState {
    const { mesh, workload, service, endpoints, keySet, loginSecret } = this.#types
    const known = this.#client.messages(mesh).get(MESH_NAME)
    // Key sets and secrets aside: an authority that knows nothing of them says nothing of them, and they come before who
    // needs them.
    const answered = [mesh, workload, service, endpoints].every(type => this.#client.synced(type))
    return Object.freeze({
      mesh: known,
      workloads: this.#client.messages(workload),
      services: this.#client.messages(service),
      endpoints: this.#client.messages(endpoints),
      keySets: this.#client.messages(keySet),
      loginSecrets: this.#client.messages(loginSecret),
      synced: known !== undefined && (answered || this.#restored)
    })
  }

  #save(): void {
    this.#cancelSave?.()
    this.#cancelSave = undefined
    try {
      this.#options.store.save(packResources(this.#client.current()))
    } catch (err) {
      this.#options.log.error({ err }, 'mesh state cannot be kept; a restart without the authority would miss it')
    }
  }
}
