import { type Clock, type Random, sleep } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { KubeClient } from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { SecretCounts } from './ledger.ts'
import type { NamespaceList } from './namespaces.ts'
import { Term } from './term.ts'
import type { RunService, Surroundings, Trust, WriteReason } from './types.ts'

interface Changing<T> {
  /** The same object as long as nothing changed. */
  current(): T
  subscribe(listener: () => void): () => void
}

/** What of the mesh matters here; each list is the same object as long as nothing in it changed. */
export interface MeshParts {
  readonly namespaces: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[]
  /** Also those that nobody runs. */
  readonly services: readonly RunService[]
}

export interface SecretsObserver {
  /** How many accounts have what they shall have, wait for it, or are left as they are. All 0 while not leading. */
  onSecrets(counts: SecretCounts): void
  onWritten(reason: WriteReason): void
  onWriteFailed(): void
}

export interface CertificateSecretsOptions {
  readonly client: Pick<KubeClient, 'pages' | 'watch' | 'get' | 'create' | 'patch' | 'mergePatch'>
  readonly leadership: {
    readonly isLeader: boolean
    whileLeader(task: (signal: AbortSignal) => Promise<void>): () => Promise<void>
  }
  /** Where the operator allows it; labelled they must be all the same. */
  readonly namespaces: NamespaceList
  /** Never served, whatever its labels. */
  readonly systemNamespace: string
  readonly mesh: { current(): MeshParts; subscribe(listener: () => void): () => void }
  readonly trust: Changing<Trust>
  readonly surroundings: Surroundings
  readonly observer: SecretsObserver
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

const AFTER_FAILURE_MS = 60_000

/**
 * Keeps in a Secret for each service account of the namespaces that ask for it the certificate that it shall have,
 * while this replica leads.
 */
export class CertificateSecrets {
  readonly #stop: () => Promise<void>
  readonly #unsubscribe: readonly (() => void)[]
  #term: Term | undefined

  constructor(options: CertificateSecretsOptions) {
    const { leadership, mesh, trust } = options
    const log = options.log.child({ room: 'certificate-secrets' })
    this.#unsubscribe = [mesh.subscribe(() => this.#term?.wake()), trust.subscribe(() => this.#term?.trustChanged())]
    this.#stop = leadership.whileLeader(async signal => {
      while (!signal.aborted && leadership.isLeader) {
        this.#term = new Term(options, log, signal)
        try {
          await this.#term.run()
        } catch (thrown) {
          // A mistake of ours must not end all renewals until another replica leads.
          log.error({ err: CountersignError.from(thrown) }, 'writing Secrets failed and begins anew')
          await sleep(options.clock, AFTER_FAILURE_MS, signal).catch(() => {})
        } finally {
          this.#term = undefined
        }
      }
    })
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.#stop()
  }
}
