import {
  COLLECTIONS,
  type Collection,
  collectionPath,
  type KubeClient,
  type KubeObject,
  keyOf,
  Reflector,
  type ReflectorOptions,
  record
} from '../../shared/kube/index.ts'
import {
  checkEndUserAuthentication,
  checkPeerAuthentication,
  checkRequestAuthentication,
  type PolicyResult,
  unreadablePolicy
} from '../../shared/policy/index.ts'
import { type PolicyKind, subjectOf } from './policy-status.ts'

/** A policy as the API server has it now. */
export interface LivePolicy {
  readonly kind: PolicyKind
  readonly namespace: string
  readonly name: string
  readonly resourceVersion: string
  readonly generation: number | undefined
  /** `status.conditions`, whatever that is. */
  readonly conditions: unknown
  /** What is wrong with it, if it cannot be understood. */
  readonly issues: readonly string[] | undefined
}

interface KindReader {
  readonly collection: Collection
  readonly check: (object: unknown) => PolicyResult<unknown>
}

export const KINDS: Readonly<Record<PolicyKind, KindReader>> = {
  PeerAuthentication: { collection: COLLECTIONS.peerAuthentications, check: checkPeerAuthentication },
  RequestAuthentication: { collection: COLLECTIONS.requestAuthentications, check: checkRequestAuthentication },
  EndUserAuthentication: { collection: COLLECTIONS.endUserAuthentications, check: checkEndUserAuthentication }
}

/** All policies of the cluster with their statuses, followed. */
export class FollowedPolicies {
  readonly #reflectors: ReadonlyMap<PolicyKind, Reflector<LivePolicy>>
  /** What was written, until something else is heard of that policy. */
  readonly #written = new Map<string, { readonly over: LivePolicy; readonly now: LivePolicy }>()

  constructor(
    options: Pick<ReflectorOptions<unknown>, 'clock' | 'random' | 'log'> & {
      readonly client: Pick<KubeClient, 'pages' | 'watch'>
    },
    onChange: () => void
  ) {
    const follow = (kind: PolicyKind): [PolicyKind, Reflector<LivePolicy>] => {
      const normalise = (object: KubeObject): LivePolicy => livePolicy(kind, object)
      const path = collectionPath(KINDS[kind].collection)
      const reflector = new Reflector<LivePolicy>({ ...options, path, normalise })
      reflector.subscribe(onChange)
      return [kind, reflector]
    }
    this.#reflectors = new Map((Object.keys(KINDS) as PolicyKind[]).map(follow))
  }

  /** By subject. */
  *current(): Generator<readonly [string, LivePolicy]> {
    for (const reflector of this.#reflectors.values())
      for (const policy of reflector.current().values()) {
        const subject = subjectOf(policy)
        const written = this.#written.get(subject)
        if (written?.over === policy) yield [subject, written.now]
        else {
          this.#written.delete(subject)
          yield [subject, policy]
        }
      }
  }

  /**
   * To be called with what the API server made of `base`: the watch tells it only later. If it has told something by
   * now, that is this or something newer: the write was possible only while `base` was the newest.
   */
  wrote(subject: string, base: LivePolicy, object: KubeObject): void {
    const before = this.#written.get(subject)
    const over = before?.now === base ? before.over : base
    if (this.#reflectors.get(base.kind)?.current().get(keyOf(object)) === over)
      this.#written.set(subject, { over, now: livePolicy(base.kind, object) })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#reflectors.values()].map(reflector => reflector.close()))
  }
}

function livePolicy(kind: PolicyKind, object: KubeObject): LivePolicy {
  const { namespace = '', name, resourceVersion = '', generation } = object.metadata
  const result = KINDS[kind].check(object)
  return {
    kind,
    namespace,
    name,
    resourceVersion,
    generation,
    conditions: record(object['status'])?.['conditions'],
    issues: result.ok ? undefined : unreadablePolicy(kind, object, result.issues).issues
  }
}
