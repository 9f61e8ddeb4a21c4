import { type KubeObject, OWN_LABELS, record, stringIn } from '../../shared/kube/index.ts'

/** What a Lease says of its holder. */
export interface LeaseRecord {
  /** Empty: it was released. Undefined: nobody has ever held it, or the Lease is not there: who knows. */
  readonly holder: string | undefined
  /** For how long the holder may believe to hold it after its last word, in milliseconds. */
  readonly durationMs: number | undefined
  /** Equal for equal records, and only for them. */
  readonly text: string
}

/** @param lease - undefined: there is none */
export function leaseRecord(lease: KubeObject | undefined): LeaseRecord {
  const spec = record(lease?.['spec']) ?? {}
  const { holderIdentity: holder, leaseDurationSeconds: seconds } = spec
  return {
    holder: typeof holder === 'string' ? holder : undefined,
    durationMs: typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : undefined,
    // With the object's own identity: one that was deleted and made anew is another.
    text: JSON.stringify([lease?.metadata.uid ?? null, spec])
  }
}

interface Claim {
  readonly identity: string
  readonly durationMs: number
  /** Milliseconds since the epoch; for people to read. */
  readonly now: number
}

/** A new Lease, held. */
export function newLease(namespace: string, name: string, claim: Claim): object {
  const metadata = { name, namespace, labels: OWN_LABELS }
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata,
    spec: { ...held(claim), leaseTransitions: 0 }
  }
}

/** The Lease as it is to be: held, for the first time or on. What others wrote into it stays. */
export function claimedLease(lease: KubeObject, claim: Claim): object {
  const spec = record(lease['spec']) ?? {}
  if (stringIn(spec, 'holderIdentity') === claim.identity)
    return { ...lease, spec: { ...spec, ...held(claim), acquireTime: spec['acquireTime'] } }
  const { leaseTransitions: before } = spec
  const leaseTransitions = typeof before === 'number' ? before + 1 : 0
  return { ...lease, spec: { ...spec, ...held(claim), leaseTransitions } }
}

/** The Lease as its holder leaves it: whoever comes next need not wait. */
export function releasedLease(lease: KubeObject, now: number): object {
  const times = { acquireTime: microTime(now), renewTime: microTime(now) }
  return { ...lease, spec: { ...record(lease['spec']), ...times, holderIdentity: '', leaseDurationSeconds: 1 } }
}

function held({ identity, durationMs, now }: Claim): Readonly<Record<string, unknown>> {
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(durationMs / 1_000),
    acquireTime: microTime(now),
    renewTime: microTime(now)
  }
}

/** Kubernetes, meta/v1 MicroTime: six digits, not fewer. */
const microTime = (now: number): string => new Date(now).toISOString().replace('Z', '000Z')
