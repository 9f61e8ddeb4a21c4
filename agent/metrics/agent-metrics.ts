import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../../shared/clock/index.ts'
import type { ErrorCode } from '../../shared/errors/index.ts'
import type { DiscoveryObserver } from '../../shared/xds/index.ts'
import { type CertificateLife, summarize } from './certificates.ts'
import { resourceLabel } from './resource-label.ts'

export interface AgentMetricsOptions {
  readonly clock: Clock
}

/** What is looked at when somebody scrapes. */
export interface WatchedRooms {
  readonly volumes: { current(): ReadonlyMap<string, unknown> }
  /** By UID of the pod; undefined while it has no certificate. */
  readonly identities: { all(): ReadonlyMap<string, CertificateLife | undefined>; readonly requesting: number }
  readonly link: {
    readonly identity: { current(): CertificateLife | undefined }
    readonly mesh: { readonly connected: boolean; readonly ageMs: number | undefined }
  }
}

/** What became of tries to be given a certificate. */
interface RotationObserver {
  issued(durationMs: number): void
  failed(code: ErrorCode): void
}

const OUTCOMES: Partial<Record<ErrorCode, string>> = {
  ERR_AUTHORITY_REFUSED: 'refused',
  ERR_AUTHORITY_UNAVAILABLE: 'unavailable',
  ERR_CERTIFICATE_INVALID: 'invalid'
}
const ISSUED = 'issued'
const FAILED = 'failed'

type Subject = 'agent' | 'workload'

/** The agent's metrics, and the observers that fill them. Names begin with `countersign_agent_`. */
export class AgentMetrics {
  readonly registry = new Registry()
  readonly #rotationMetrics = {
    rotations: new Counter({
      name: 'countersign_agent_rotations_total',
      help: 'Tries to be given a certificate, by subject (agent, workload) and outcome: issued, refused (by the authority), unavailable (the authority), invalid (its answer) or failed.',
      labelNames: ['subject', 'outcome'],
      registers: [this.registry]
    }),
    issuance: new Histogram({
      name: 'countersign_agent_issuance_duration_seconds',
      help: 'Time from a key to its certificate, with what was waited for a turn; tries that failed are left out.',
      labelNames: ['subject'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [this.registry]
    })
  }

  readonly agentRotation: RotationObserver
  readonly podRotation: RotationObserver
  readonly discovery: DiscoveryObserver
  readonly #clock: Clock

  constructor({ clock }: AgentMetricsOptions) {
    this.#clock = clock
    this.agentRotation = this.#rotation('agent')
    this.podRotation = this.#rotation('workload')
    this.discovery = this.#discovery()
    collectDefaultMetrics({ register: this.registry })
  }

  /** From now on a scrape shows what these rooms are. Once only: names of metrics are unique. */
  watch({ volumes, identities, link }: WatchedRooms): void {
    this.#gauge('volumes', 'Pods that have a volume on this node.', () => volumes.current().size)
    this.#gauge('issuance_pending', 'Pods that wait for an answer of the authority.', () => identities.requesting)
    this.#gauge('authority_connected', '1 while the authority is heard, else 0.', () => (link.mesh.connected ? 1 : 0))
    this.#gauge(
      'mesh_age_seconds',
      'How long ago the mesh state was certainly right; 0 while the authority is heard, absent until it was heard.',
      () => inSeconds(link.mesh.ageMs)
    )
    this.#watchCertificates(identities, link.identity)
  }

  #watchCertificates(identities: WatchedRooms['identities'], identity: WatchedRooms['link']['identity']): void {
    const clock = this.#clock
    const registers = [this.registry]
    new Gauge({
      name: 'countersign_agent_certificates',
      help: 'Pods by the state of their certificate: valid, expired (kept until there is another) or missing.',
      labelNames: ['state'],
      registers,
      collect() {
        const { valid, expired, missing } = summarize(identities.all().values(), clock.now())
        this.set({ state: 'valid' }, valid)
        this.set({ state: 'expired' }, expired)
        this.set({ state: 'missing' }, missing)
      }
    })
    new Gauge({
      name: 'countersign_agent_certificate_expiry_timestamp_seconds',
      help: 'When the certificate that expires first does so, in seconds since the epoch: of the agent, of all pods.',
      labelNames: ['subject'],
      registers,
      collect() {
        this.reset()
        const soonest: Record<Subject, number | undefined> = {
          agent: summarize([identity.current()], clock.now()).soonestExpiry,
          workload: summarize(identities.all().values(), clock.now()).soonestExpiry
        }
        for (const [subject, expiry] of Object.entries(soonest))
          if (expiry !== undefined) this.set({ subject }, expiry / 1_000)
      }
    })
  }

  /** A metric whose value is asked for at each scrape; undefined: it is left out. */
  #gauge(name: string, help: string, value: () => number | undefined): void {
    new Gauge({
      name: `countersign_agent_${name}`,
      help,
      registers: [this.registry],
      collect() {
        const now = value()
        if (now === undefined) this.remove()
        else this.set(now)
      }
    })
  }

  #rotation(subject: Subject): RotationObserver {
    const rotations = this.#rotationMetrics.rotations
    const duration = this.#rotationMetrics.issuance
    // From the first scrape on, so that the first failure shows as an increase.
    for (const outcome of [ISSUED, FAILED, ...Object.values(OUTCOMES)]) rotations.inc({ subject, outcome }, 0)
    return {
      issued: durationMs => {
        rotations.inc({ subject, outcome: ISSUED })
        duration.observe({ subject }, durationMs / 1_000)
      },
      failed: code => rotations.inc({ subject, outcome: OUTCOMES[code] ?? FAILED })
    }
  }

  #discovery(): DiscoveryObserver {
    const registers = [this.registry]
    const streams = new Gauge({
      name: 'countersign_agent_streams',
      help: 'Discovery streams that proxies have open.',
      registers
    })
    const counter = (name: string, help: string): Counter<'type'> =>
      new Counter({ name: `countersign_agent_${name}`, help, labelNames: ['type'], registers })
    const sent = counter('responses_sent_total', 'Responses sent to proxies, by resource type.')
    const rejected = counter('responses_rejected_total', 'Responses that a proxy refused, by resource type.')
    return {
      onStreamOpened: () => streams.inc(),
      onStreamClosed: () => streams.dec(),
      onSent: (_peer, typeUrl) => sent.inc({ type: resourceLabel(typeUrl) }),
      onAccepted: () => {},
      onRejected: (_peer, typeUrl) => rejected.inc({ type: resourceLabel(typeUrl) })
    }
  }
}

function inSeconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1_000
}
