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
import { type PolicyKind, type StatusKind, subjectOf } from './policy-status.ts'

/** A policy or a Service as the API server has it now. */
export interface LiveObject {
  readonly kind: StatusKind
  readonly namespace: string
  readonly name: string
  readonly resourceVersion: string
  readonly generation: number | undefined
  /** `status.conditions`, whatever that is. */
  readonly conditions: unknown
  /** What is wrong with a policy that cannot be understood. */
  readonly issues: readonly string[] | undefined
}

export const KINDS: Readonly<Record<StatusKind, Collection>> = {
  PeerAuthentication: COLLECTIONS.peerAuthentications,
  RequestAuthentication: COLLECTIONS.requestAuthentications,
  EndUserAuthentication: COLLECTIONS.endUserAuthentications,
  Service: COLLECTIONS.services
}

const CHECKS: Readonly<Record<PolicyKind, (object: unknown) => PolicyResult<unknown>>> = {
  PeerAuthentication: checkPeerAuthentication,
  RequestAuthentication: checkRequestAuthentication,
  EndUserAuthentication: checkEndUserAuthentication
}

/** All policies and Services of the cluster with their conditions, followed. */
export class FollowedObjects {
  readonly #reflectors: ReadonlyMap<StatusKind, Reflector<LiveObject>>
  /** What was written, until something else is heard of that object. */
  readonly #written = new Map<string, { readonly over: LiveObject; readonly now: LiveObject }>()

  constructor(
    options: Pick<ReflectorOptions<unknown>, 'clock' | 'random' | 'log'> & {
      readonly client: Pick<KubeClient, 'pages' | 'watch'>
    },
    onChange: () => void
  ) {
    const follow = (kind: StatusKind): [StatusKind, Reflector<LiveObject>] => {
      const normalise = (object: KubeObject): LiveObject => liveObject(kind, object)
      const path = collectionPath(KINDS[kind])
      const reflector = new Reflector<LiveObject>({ ...options, path, normalise })
      reflector.subscribe(onChange)
      return [kind, reflector]
    }
    this.#reflectors = new Map((Object.keys(KINDS) as StatusKind[]).map(follow))
  }

  /** By subject. */
  *current(): Generator<readonly [string, LiveObject]> {
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
  wrote(subject: string, base: LiveObject, object: KubeObject): void {
    const before = this.#written.get(subject)
    const over = before?.now === base ? before.over : base
    if (this.#reflectors.get(base.kind)?.current().get(keyOf(object)) === over)
      this.#written.set(subject, { over, now: liveObject(base.kind, object) })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#reflectors.values()].map(reflector => reflector.close()))
  }
}

function liveObject(kind: StatusKind, object: KubeObject): LiveObject {
  const { namespace = '', name, resourceVersion = '', generation } = object.metadata
  return {
    kind,
    namespace,
    name,
    resourceVersion,
    generation,
    conditions: record(object['status'])?.['conditions'],
    issues: kind === 'Service' ? undefined : issuesOf(kind, object)
  }
}

function issuesOf(kind: PolicyKind, object: KubeObject): readonly string[] | undefined {
  const result = CHECKS[kind](object)
  return result.ok ? undefined : unreadablePolicy(kind, object, result.issues).issues
}
