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
  readonly #pruningDefinitions: Gauge<'kind'>
  readonly #keyFetches: Counter<'outcome'>
  readonly #keySets: Gauge<'condition'>
  readonly #oldestKeySet: Gauge
  readonly #leader: Gauge
  readonly #accountSecrets: Gauge<'state'>
  readonly #secretWrites: Counter<'reason'>
  readonly #secretWriteFailures: Counter

  /** @param rootExpiry - when the root ends, in milliseconds since the epoch; read at each scrape */
  constructor(rootExpiry: () => number) {
    const registers = [this.registry]
    const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> =>
      new Gauge({ name: `countersign_authority_${name}`, help, labelNames, registers })
    const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> =>
      new Counter({ name: `countersign_authority_${name}`, help, labelNames, registers })
    this.#issued = counter(
      'certificates_issued_total',
      'Certificates signed, by kind: agent, workload, or account: those in Secrets.',
      'kind'
    )
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
    this.#pruningDefinitions = gauge(
      'definitions_pruning',
      '1 where the CustomResourceDefinition of a kind of policy drops unknown fields before they can be refused, else 0.',
      'kind'
    )
    this.#keyFetches = counter('key_fetches_total', "Fetches of token issuers' keys, by outcome.", 'outcome')
    this.#keySets = gauge('key_sets', 'Key sets of token issuers that policies want, by condition.', 'condition')
    this.#oldestKeySet = gauge(
      'key_sets_confirmed_seconds',
      'When the key set that was fetched longest ago was, in seconds since the epoch; 0 while none was.'
    )
    this.#leader = gauge('leader', '1 in the replica that does what only one may do, 0 in the others.')
    this.#accountSecrets = gauge(
      'certificate_secrets',
      'Service accounts by what their Secret is: right, waiting to be written, or left as it is. In the leader.',
      'state'
    )
    this.#secretWrites = counter('certificate_secret_writes_total', 'Secrets with certificates written.', 'reason')
    this.#secretWriteFailures = counter(
      'certificate_secret_write_failures_total',
      'Writes of Secrets with certificates that the API server refused or did not answer.'
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

  readonly definitions = {
    onDefinition: (kind: string, prunes: boolean): void => this.#pruningDefinitions.set({ kind }, prunes ? 1 : 0)
  }

  readonly keys = {
    onFetch: (outcome: string): void => this.#keyFetches.inc({ outcome }),
    onKeySets: (counts: Readonly<Record<string, number>>, oldestAt: number | undefined): void => {
      for (const [condition, count] of Object.entries(counts)) this.#keySets.set({ condition }, count)
      this.#oldestKeySet.set((oldestAt ?? 0) / 1_000)
    }
  }

  readonly certificateSecrets = {
    onSecrets: (counts: Readonly<Record<string, number>>): void => {
      for (const [state, count] of Object.entries(counts)) this.#accountSecrets.set({ state }, count)
    },
    onWritten: (reason: string): void => {
      this.#secretWrites.inc({ reason })
      // Where only the owner was wrong, nothing was signed.
      if (reason !== 'owner') this.#issued.inc({ kind: 'account' })
    },
    onWriteFailed: (): void => this.#secretWriteFailures.inc()
  }

  onLeader(leader: boolean): void {
    this.#leader.set(leader ? 1 : 0)
  }

  onFileProblems(count: number): void {
    this.#fileProblems.set(count)
  }
}

function shortType(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('.') + 1)
}
