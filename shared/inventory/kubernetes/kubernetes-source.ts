import type { Clock, Random } from '../../clock/index.ts'
import { CountersignError } from '../../errors/index.ts'
import { collectionPath, type KubeClient, keyOf, Reflector } from '../../kube/index.ts'
import type { Logger } from '../../log/index.ts'
import type { UnreadablePolicy } from '../../policy/index.ts'
import { assembleInventory, EMPTY_INVENTORY, sizesOf } from '../assemble.ts'
import { ANY_NETWORK, type PodNetworks, resolveClaims } from '../claims.ts'
import { isUnreadable } from '../issue.ts'
import { indexPods } from '../pod-index.ts'
import { endpointsFromSlices } from '../slice-endpoints.ts'
import type { Inventory, InventorySource, Node } from '../types.ts'
import { Debounce } from './debounce.ts'
import { IssueLog } from './issue-log.ts'
import { KINDS, type Kind, type Values } from './kind.ts'

export interface KubernetesSourceOptions {
  readonly client: Pick<KubeClient, 'pages' | 'watch'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /**
   * Whether a pod may hold an address outside of its Node's `spec.podCIDRs`. Default: enforced, it may not; without Nodes
   * that were seen it holds none. Ignored: Nodes are not watched.
   */
  readonly podCidrs?: 'enforced' | 'ignored'
}

type Reflectors = { readonly [K in Exclude<Kind, 'nodes'>]: Reflector<Values[K]> }

/** Changes come in showers, a rollout above all: this much quiet makes them one, and no change waits longer than that. */
const QUIET_MS = 50
const LONGEST_MS = 500

/**
 * An inventory from the Kubernetes API, kept current. Empty until `synced`; from then on everything was seen at least
 * once, and what is known stays known while the API server is away. Endpoints are those of the EndpointSlices, and
 * service accounts are not followed: the mesh takes them from pods.
 */
export class KubernetesSource implements InventorySource {
  /** Resolves once every collection was seen; never rejects. */
  readonly synced: Promise<void>
  readonly #log: Logger
  readonly #reflectors: Reflectors
  /** Undefined where addresses outside of the networks of Nodes are accepted. */
  readonly #nodes: Reflector<Node> | undefined
  readonly #issues: IssueLog
  readonly #debounce: Debounce
  readonly #listeners = new Set<() => void>()
  #inventory = EMPTY_INVENTORY

  constructor(options: KubernetesSourceOptions) {
    this.#log = options.log.child({ room: 'inventory' })
    this.#issues = new IssueLog(this.#log)
    this.#debounce = new Debounce(options.clock, { quietMs: QUIET_MS, longestMs: LONGEST_MS }, () => this.#update())
    const follow = <K extends Kind>(kind: K): Reflector<Values[K]> => this.#follow(kind, options)
    this.#reflectors = {
      namespaces: follow('namespaces'),
      pods: follow('pods'),
      services: follow('services'),
      endpointSlices: follow('endpointSlices'),
      peerAuthentications: follow('peerAuthentications'),
      requestAuthentications: follow('requestAuthentications'),
      endUserAuthentications: follow('endUserAuthentications')
    }
    this.#nodes = options.podCidrs === 'ignored' ? undefined : follow('nodes')
    this.synced = this.#begin()
  }

  current(): Inventory {
    return this.#inventory
  }

  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** Stops following; the last inventory stays. Nobody is told anything afterwards. */
  async close(): Promise<void> {
    this.#listeners.clear()
    this.#debounce.cancel()
    await Promise.all(this.#all().map(reflector => reflector.close()))
  }

  #follow<K extends Kind>(kind: K, { client, clock, random, log }: KubernetesSourceOptions): Reflector<Values[K]> {
    const { collection, read, keepsLastGood } = KINDS[kind]
    return new Reflector<Values[K]>({
      client,
      path: collectionPath(collection),
      normalise: (object, previous) => {
        const { value, issues } = read(object)
        const isUsable = value !== undefined && !isUnreadable(value)
        this.#issues.report(`${kind} ${keyOf(object)}`, issues, isUsable)
        return value ?? (keepsLastGood ? previous : undefined)
      },
      clock,
      random,
      log: log.child({ room: 'inventory' })
    })
  }

  async #begin(): Promise<void> {
    await Promise.all(this.#all().map(reflector => reflector.synced))
    for (const reflector of this.#all()) reflector.subscribe(() => this.#debounce.trigger())
    this.#update()
  }

  #update(): void {
    const next = this.#assemble()
    if (next === this.#inventory) return
    this.#inventory = next
    this.#log.debug(sizesOf(next), 'the cluster has changed')
    for (const listener of [...this.#listeners])
      try {
        listener()
      } catch (thrown) {
        this.#log.error({ err: CountersignError.from(thrown) }, 'a listener of the inventory failed')
      }
  }

  #assemble(): Inventory {
    const values = <K extends keyof Reflectors>(kind: K): Values[K][] => [...this.#reflectors[kind].current().values()]
    const services = values('services')
    const { pods, mirrors } = resolveClaims(values('pods'), {
      services,
      networks: this.#nodes === undefined ? ANY_NETWORK : networksOf(this.#nodes.current()),
      previous: this.#inventory.pods
    })
    const peers = byReadability(values('peerAuthentications'))
    const requests = byReadability(values('requestAuthentications'))
    const endUsers = byReadability(values('endUserAuthentications'))
    return assembleInventory(this.#inventory, {
      namespaces: values('namespaces'),
      serviceAccounts: [],
      pods,
      services,
      endpoints: endpointsFromSlices(services, values('endpointSlices'), indexPods(pods, mirrors)),
      peerAuthentications: peers.readable,
      requestAuthentications: requests.readable,
      endUserAuthentications: endUsers.readable,
      unreadablePolicies: [...peers.unreadable, ...requests.unreadable, ...endUsers.unreadable]
    })
  }

  #all(): readonly Pick<Reflector<unknown>, 'synced' | 'subscribe' | 'close'>[] {
    return [...Object.values(this.#reflectors), ...(this.#nodes === undefined ? [] : [this.#nodes])]
  }
}

/** A Node that is not known has no network: its pods hold no address until it is seen. */
function networksOf(nodes: ReadonlyMap<string, Node>): PodNetworks {
  return name => {
    if (name === undefined) return []
    const { podNetworks } = nodes.get(name) ?? { podNetworks: undefined }
    if (podNetworks === undefined) return []
    return podNetworks.length === 0 ? undefined : podNetworks
  }
}

function byReadability<Policy extends object>(policies: readonly (Policy | UnreadablePolicy)[]) {
  const readable: Policy[] = []
  const unreadable: UnreadablePolicy[] = []
  for (const policy of policies)
    if (isUnreadable(policy)) unreadable.push(policy)
    else readable.push(policy)
  return { readable, unreadable }
}
