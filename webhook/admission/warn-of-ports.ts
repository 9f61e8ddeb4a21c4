import type { Logger } from '../../shared/log/index.ts'
import {
  meshWideWarning,
  policyOnPorts,
  portWarnings,
  type TypedObject,
  unknownPortsWarning
} from '../validation/index.ts'
import type { WorkloadFinder } from '../workloads/index.ts'

export interface PortWarningOptions {
  /** Its policies are for the whole mesh. */
  readonly rootNamespace: string
  /** Absent: there is no access to the Kubernetes API. */
  readonly findWorkloads?: WorkloadFinder
  readonly log: Logger
}

/**
 * Warnings of ports that a valid policy closes. Never fails: where they cannot be determined, the warning says why.
 *
 * @param namespace of the request
 */
export async function warnOfPorts(
  object: TypedObject,
  namespace: string,
  { rootNamespace, findWorkloads, log }: PortWarningOptions
): Promise<readonly string[]> {
  try {
    const policy = policyOnPorts(object)
    if (policy === undefined) return []
    if (namespace === rootNamespace) return [meshWideWarning(policy)]
    if (findWorkloads === undefined) return [unknownPortsWarning('the webhook has no access to the Kubernetes API')]
    return portWarnings(policy, await findWorkloads(namespace, policy.labels))
  } catch (thrown) {
    log.warn({ err: thrown, namespace }, 'ports that a policy closes cannot be determined')
    return [unknownPortsWarning(thrown instanceof Error ? thrown.message.slice(0, LONGEST_REASON) : 'internal error')]
  }
}

const LONGEST_REASON = 150
