import type { Client } from '@grpc/grpc-js'
import type { Clock, Random } from '../../shared/clock/index.ts'
import type { TrustDomain } from '../../shared/identity/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { Mesh } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { TrustBundle } from '../../shared/x509/index.ts'
import type { IssuingPort, RotationObserver, SvidStore } from '../workload/index.ts'
import { AgentIdentity } from './agent-identity.ts'
import { AuthorityChannel } from './authority-channel.ts'
import type { AuthorityEndpoint } from './authority-client.ts'
import { IssuingClient } from './issuing-client.ts'
import { trustBundlesOf } from './mesh-state.ts'
import { MeshStream, type MeshStreamOptions } from './mesh-stream.ts'
import { Trust } from './trust.ts'
import { UnknownKeyClient } from './unknown-key-client.ts'

export interface AuthorityLinkOptions {
  /** `host:port` of the authority. */
  readonly address: string
  readonly trustDomain: TrustDomain
  /** Name of the node that the agent speaks for. */
  readonly node: string
  /** File with the agent's own token. */
  readonly tokenPath: string
  /** The trust bundle file, started and closed by whoever made it. */
  readonly bundle: { current(): TrustBundle | undefined; subscribe(listener: () => void): () => void }
  readonly state: { readonly agent: SvidStore; readonly mesh: MeshStreamOptions['store'] }
  /** Of the rotation of the agent's own SVID. */
  readonly observer?: RotationObserver
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

const FIRST_DOUBT = 5

/**
 * All that the agent has of the authority, wired: the agent's SVID makes the channel, over which pods get their
 * certificates and the mesh state comes, whose roots decide whom the channel trusts.
 */
export class AuthorityLink {
  readonly identity: AgentIdentity
  readonly mesh: MeshStream
  readonly trust: Trust
  /** Signs the certificates of pods. */
  readonly issuing: IssuingPort
  /** Tells the authority of tokens that no key fits. */
  readonly unknownKeys: UnknownKeyClient
  readonly #channel: AuthorityChannel
  readonly #listeners = new Set<() => void>()
  #learnt: Mesh | undefined
  #streamClient: Client | undefined

  /** @throws CountersignError ERR_SPIFFE_ID_INVALID when the node's name cannot be part of a SPIFFE ID */
  constructor(options: AuthorityLinkOptions) {
    const { address, trustDomain, node, tokenPath, bundle, state, clock, random } = options
    const log = options.log.child({ room: 'authority' })
    this.trust = new Trust({ trustDomain, file: bundle, clock })
    const endpoint: AuthorityEndpoint = { address, trustDomain, trust: this.trust, clock }
    this.identity = new AgentIdentity({
      endpoint,
      node,
      tokenPath,
      store: state.agent,
      verify: chain => this.trust.verifyAgent(chain),
      observer: options.observer ?? { issued() {}, failed() {} },
      clock,
      random,
      log
    })
    this.#channel = new AuthorityChannel({ endpoint, identity: () => this.identity.current(), clock })
    this.issuing = new IssuingClient(this.#channel)
    this.unknownKeys = new UnknownKeyClient(() => (this.mesh.connected ? this.#streamClient : undefined))
    this.mesh = new MeshStream({
      trustDomain,
      connect: () => {
        this.#streamClient = this.#channel.connect()
        return this.#streamClient
      },
      store: state.mesh,
      onAnswered: () => this.#available(),
      onUnanswered: inARow => this.#doubt(inARow),
      clock,
      random,
      log
    })
    this.mesh.subscribe(() => this.#learnTrust())
    this.identity.subscribe(() => this.#channel.refresh())
    this.trust.subscribe(() => {
      this.#channel.refresh()
      this.identity.recheck()
      this.identity.hurry()
    })
    this.#channel.subscribe(() => {
      this.mesh.connect()
      this.#available()
    })
    this.#learnTrust()
  }

  /** Takes up what was kept of the agent's SVID, asks for what is missing, and connects as soon as it is there. */
  start(): void {
    this.identity.start()
  }

  /** Calls `listener` whenever what failed may succeed now; the returned function ends that. */
  onAvailable(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  close(): void {
    this.#listeners.clear()
    this.unknownKeys.close()
    this.mesh.close()
    this.identity.close()
    this.#channel.close()
    this.trust.close()
  }

  #learnTrust(): void {
    const { mesh } = this.mesh.current()
    if (mesh === undefined || mesh === this.#learnt) return
    this.#learnt = mesh
    this.trust.learn(trustBundlesOf(mesh))
  }

  #available(): void {
    this.identity.hurry()
    for (const listener of [...this.#listeners]) listener()
  }

  // An authority that was set up anew knows the old SVID no longer, and can only end the connection. Whether it is that
  // or a failure, a new SVID answers: after 5, 10, 20 and so on streams without an answer.
  #doubt(inARow: number): void {
    const doublings = Math.log2(inARow / FIRST_DOUBT)
    if (doublings >= 0 && Number.isInteger(doublings)) this.identity.renewSoon()
  }
}
