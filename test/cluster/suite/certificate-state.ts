import type { CoreV1Event, V1Namespace, V1NamespaceCondition } from '@kubernetes/client-node'
import { until } from '../../../cli/local/index.ts'
import type { Cluster } from '../index.ts'
import { type CertificateSeen, certificatesIn, faultOf } from './certificates-seen.ts'

const CONDITION = 'countersign.dev/CertificatesReady'
const PATIENT = { timeoutMs: 90_000, intervalMs: 500 }

/** Waits for what there is to be seen of certificates in Secrets, and gives it back. */
export class CertificateState {
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** The certificate of an account, once it is as it has to be. */
  right(
    namespace: string,
    account: string,
    isWanted: (seen: CertificateSeen) => boolean = () => true
  ): Promise<CertificateSeen> {
    return until(
      `a certificate for ${account} in ${namespace}`,
      async () => {
        const seen = (await certificatesIn(this.#cluster, namespace)).get(account)
        const fault = faultOf(seen, namespace, account)
        if (fault !== undefined) throw new Error(fault)
        return seen !== undefined && isWanted(seen) ? seen : undefined
      },
      PATIENT
    )
  }

  /** The certificates of many accounts, once all are as they have to be. */
  allRight(namespace: string, accounts: readonly string[]): Promise<ReadonlyMap<string, CertificateSeen>> {
    return until(
      `${accounts.length} certificates in ${namespace}`,
      async () => {
        const seen = await certificatesIn(this.#cluster, namespace)
        const faults = accounts.map(name => faultOf(seen.get(name), namespace, name)).filter(one => one !== undefined)
        if (faults.length > 0) throw new Error(`${faults.length} are wrong: ${faults.slice(0, 3).join('; ')}`)
        return seen
      },
      PATIENT
    )
  }

  /** What a namespace says of the certificates in it; undefined: nothing. */
  async conditionOf(namespace: string): Promise<V1NamespaceCondition | undefined> {
    const { status } = JSON.parse(
      await this.#cluster.kubectl(['get', 'namespace', namespace, '-o', 'json'])
    ) as V1Namespace
    return status?.conditions?.find(({ type }) => type === CONDITION)
  }

  /** Its message, once it is so for that reason. */
  condition(namespace: string, status: 'True' | 'False', reason: string, message = /./): Promise<string> {
    return until(
      `${namespace} to say ${status} ${reason}`,
      async () => {
        const found = await this.conditionOf(namespace)
        const said = found?.message ?? ''
        if (found?.status === status && found.reason === reason && message.test(said)) return said
        throw new Error(JSON.stringify(found))
      },
      PATIENT
    )
  }

  /** The message of an event of a service account. */
  event(namespace: string, account: string, reason: string): Promise<string> {
    const fields = `involvedObject.kind=ServiceAccount,involvedObject.name=${account},reason=${reason}`
    return until(
      `an event ${reason} of ${account}`,
      async () => {
        const { items } = JSON.parse(
          await this.#cluster.kubectl(['get', 'events', '-n', namespace, '--field-selector', fields, '-o', 'json'])
        ) as { items: CoreV1Event[] }
        return items[0]?.message
      },
      PATIENT
    )
  }
}
