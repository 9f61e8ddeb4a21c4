import { CountersignError } from '../errors/index.ts'
import { parseTrustDomain, type TrustDomain } from './trust-domain.ts'

/** Whom a SPIFFE ID of this mesh names. */
export type Subject =
  | { readonly kind: 'workload'; readonly namespace: string; readonly serviceAccount: string }
  | { readonly kind: 'agent'; readonly node: string }
  | { readonly kind: 'authority' }

/**
 * A SPIFFE ID of one of the three shapes that Countersign issues. Immutable; compare with `equals` or by `toString()`.
 *
 *     spiffe://<trust domain>/ns/<namespace>/sa/<service account>     a pod
 *     spiffe://<trust domain>/countersign/agent/<node>                the agent of a node
 *     spiffe://<trust domain>/countersign/authority                   the authority
 *
 * No pod can be given one of the last two: its path always starts with /ns/.
 */
export class SpiffeId {
  readonly trustDomain: TrustDomain
  readonly subject: Subject
  readonly #text: string

  private constructor(trustDomain: TrustDomain, subject: Subject) {
    this.trustDomain = trustDomain
    this.subject = Object.freeze(subject)
    this.#text = `spiffe://${trustDomain}${pathOf(subject)}`
    Object.freeze(this)
  }

  /** @throws CountersignError ERR_SPIFFE_ID_INVALID when a name could not be part of a path */
  static workload(trustDomain: TrustDomain, namespace: string, serviceAccount: string): SpiffeId {
    return new SpiffeId(trustDomain, {
      kind: 'workload',
      namespace: checkSegment('namespace', namespace),
      serviceAccount: checkSegment('service account', serviceAccount)
    })
  }

  /** @throws CountersignError ERR_SPIFFE_ID_INVALID when the node's name could not be part of a path */
  static agent(trustDomain: TrustDomain, node: string): SpiffeId {
    return new SpiffeId(trustDomain, { kind: 'agent', node: checkSegment('node', node) })
  }

  static authority(trustDomain: TrustDomain): SpiffeId {
    return new SpiffeId(trustDomain, { kind: 'authority' })
  }

  /**
   * Parses strictly (SPIFFE-ID, section 2): no query, fragment, port, user, percent-encoding, empty, `.` or `..`
   * segment, and only the three shapes above.
   *
   * @throws CountersignError ERR_SPIFFE_ID_INVALID
   */
  static parse(text: string): SpiffeId {
    const refuse = (why: string): never => {
      throw new CountersignError(
        'ERR_SPIFFE_ID_INVALID',
        `${JSON.stringify(text.slice(0, 300))} is not usable as a SPIFFE ID: ${why}`
      )
    }
    // SPIFFE-ID, section 2.3: implementations must accept up to 2048 bytes and may refuse more.
    if (Buffer.byteLength(text) > 2048) return refuse('longer than 2048 bytes')
    if (!text.startsWith('spiffe://')) return refuse('expected it to start with spiffe://')
    const [domain = '', ...segments] = text.slice('spiffe://'.length).split('/')
    const trustDomain = parseTrustDomain(domain)
    const [first, second, third, fourth] = segments
    if (first === 'ns' && third === 'sa' && segments.length === 4)
      return SpiffeId.workload(trustDomain, second ?? '', fourth ?? '')
    if (first === 'countersign' && second === 'agent' && segments.length === 3)
      return SpiffeId.agent(trustDomain, third ?? '')
    if (first === 'countersign' && second === 'authority' && segments.length === 2)
      return SpiffeId.authority(trustDomain)
    return refuse(
      'expected the path /ns/<namespace>/sa/<service account>, /countersign/agent/<node> or /countersign/authority'
    )
  }

  equals(other: SpiffeId): boolean {
    return this.#text === other.#text
  }

  toString(): string {
    return this.#text
  }

  toJSON(): string {
    return this.#text
  }
}

function pathOf(subject: Subject): string {
  switch (subject.kind) {
    case 'workload':
      return `/ns/${subject.namespace}/sa/${subject.serviceAccount}`
    case 'agent':
      return `/countersign/agent/${subject.node}`
    case 'authority':
      return '/countersign/authority'
  }
}

// SPIFFE-ID, section 2.2, without its upper case: Kubernetes names have none.
const SEGMENT = /^[a-z0-9._-]{1,253}$/

function checkSegment(what: string, value: string): string {
  if (!SEGMENT.test(value) || value === '.' || value === '..')
    throw new CountersignError(
      'ERR_SPIFFE_ID_INVALID',
      `${what} ${JSON.stringify(value.slice(0, 300))} cannot be part of a SPIFFE ID: expected 1 to 253 lower-case letters, digits, dots, dashes or underscores`
    )
  return value
}
