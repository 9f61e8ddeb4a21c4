import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { DiscoveryObserver } from '../../shared/xds/index.ts'

/** The authority's metrics, and the observers that fill them. Names begin with `countersign_authority_`. */
export class AuthorityMetrics {
  readonly registry = new Registry()
  readonly #issued: Counter<'kind'>
  readonly #refused: Counter<'reason'>
  readonly #services: Gauge
  readonly #workloads: Gauge
  readonly #problems: Gauge
  readonly #fileProblems: Gauge
  readonly #agents: Gauge
  readonly #sent: Counter<'type'>
  readonly #rejected: Counter<'type'>

  /** @param rootExpiry - when the root ends, in milliseconds since the epoch; read at each scrape */
  constructor(rootExpiry: () => number) {
    const registers = [this.registry]
    const gauge = (name: string, help: string): Gauge =>
      new Gauge({ name: `countersign_authority_${name}`, help, registers })
    const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> =>
      new Counter({ name: `countersign_authority_${name}`, help, labelNames, registers })
    this.#issued = counter('certificates_issued_total', 'Certificates signed, by kind: agent or workload.', 'kind')
    this.#refused = counter('certificates_refused_total', 'Certificate requests refused, by reason.', 'reason')
    this.#services = gauge('mesh_services', 'Services that agents are told of.')
    this.#workloads = gauge('mesh_workloads', 'Pods that have a proxy.')
    this.#problems = gauge('mesh_problems', 'Declarations that cannot hold; each is in the log.')
    this.#fileProblems = gauge(
      'file_problems',
      'Mistakes in the files of the configuration folder; each is in the log.'
    )
    this.#agents = gauge('agents_connected', 'Agents that have a stream open.')
    this.#sent = counter('mesh_responses_sent_total', 'Responses sent to agents, by resource type.', 'type')
    this.#rejected = counter(
      'mesh_responses_rejected_total',
      'Responses that an agent refused, by resource type.',
      'type'
    )
    new Gauge({
      name: 'countersign_authority_root_expiry_seconds',
      help: 'When the root certificate ends, in seconds since the epoch.',
      registers,
      collect() {
        this.set(rootExpiry() / 1_000)
      }
    })
    collectDefaultMetrics({ register: this.registry })
  }

  readonly issuance = {
    onIssued: (kind: 'agent' | 'workload'): void => this.#issued.inc({ kind }),
    onRefused: (reason: string): void => this.#refused.inc({ reason })
  }

  readonly mesh = {
    onMesh: ({ services, workloads, problems }: { services: number; workloads: number; problems: number }): void => {
      this.#services.set(services)
      this.#workloads.set(workloads)
      this.#problems.set(problems)
    }
  }

  readonly distribution: DiscoveryObserver = {
    onStreamOpened: () => this.#agents.inc(),
    onStreamClosed: () => this.#agents.dec(),
    onSent: (_node, typeUrl) => this.#sent.inc({ type: shortType(typeUrl) }),
    onAccepted: () => {},
    onRejected: (_node, typeUrl) => this.#rejected.inc({ type: shortType(typeUrl) })
  }

  onFileProblems(count: number): void {
    this.#fileProblems.set(count)
  }
}

function shortType(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('.') + 1)
}
