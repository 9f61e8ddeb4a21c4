import { floorOf, NO_FLOOR } from '../../shared/floor/index.ts'
import { hasEnded, type Inventory, type Namespace, type Pod } from '../../shared/inventory/index.ts'
import { isEnrolled } from './enrolment.ts'
import type { MeshSettings } from './mesh-message.ts'
import type { ProblemList } from './problem.ts'
import { accountOf } from './service-message.ts'

/** Why a pod that is what it says gets no certificate all the same. */
export interface Withheld {
  readonly reason: 'pod_not_enrolled' | 'pod_below_floor'
  /** Whether also one that holds a certificate gets no further one. */
  readonly fromRenewal: boolean
}

type Rules = Pick<MeshSettings, 'floor' | 'enrolment'>

/** Why a pod gets no certificate; undefined where it gets one. `namespace`: undefined where it is not known. */
export function withheldFrom(
  pod: Pod,
  namespace: Namespace | undefined,
  { floor = NO_FLOOR, enrolment }: Rules
): Withheld | undefined {
  const { mutualTls, endUserChecks } = floorOf(floor, pod.namespace)
  if ((mutualTls || endUserChecks) && isOpen(pod, enrolment !== undefined))
    return { reason: 'pod_below_floor', fromRenewal: true }
  if (isEnrolled(pod, namespace, enrolment, floor)) return undefined
  // Its certificate shows that it was enrolled when it started, which a restart of the authority forgets.
  return { reason: 'pod_not_enrolled', fromRenewal: !pod.hasProxy }
}

/** Whether connections reach the containers of a pod without its proxy, because its volume says so. */
function isOpen({ bypass, notCaptured }: Pod, inKubernetes: boolean): boolean {
  return bypass !== undefined || (inKubernetes && notCaptured === true)
}

const MESSAGES: Readonly<Record<Withheld['reason'], string>> = {
  pod_not_enrolled:
    'runs pods with a proxy that are not enrolled: they get no certificate, unless they had one before; label the namespace countersign.dev/inject=enabled and create them again',
  pod_below_floor:
    'runs pods that exclude ports or interfaces from their proxy, which the operator’s floor does not allow: they get no certificate; remove the annotations countersign.dev/exclude-inbound-ports, exclude-interfaces and application-address and create them again'
}

/** How many accounts are named; how many more there are is said of the last. */
const MOST_ACCOUNTS = 100

/** Reports service accounts with pods that have a proxy and get no certificate, once for all replicas. */
export function reportWithheld(
  { pods, namespaces }: Pick<Inventory, 'pods' | 'namespaces'>,
  rules: Rules,
  problems: ProblemList
): void {
  const namespaceOf = new Map(namespaces.map(namespace => [namespace.name, namespace]))
  const found = new Map<string, Withheld['reason']>()
  for (const pod of pods) {
    if (!pod.hasProxy || hasEnded(pod)) continue
    const withheld = withheldFrom(pod, namespaceOf.get(pod.namespace), rules)
    if (withheld !== undefined) found.set(`${accountOf(pod)} ${withheld.reason}`, withheld.reason)
  }
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [key, reason] of sorted.slice(0, MOST_ACCOUNTS))
    problems.add('no-certificate', `ServiceAccount ${key.split(' ')[0]}`, MESSAGES[reason])
  if (sorted.length > MOST_ACCOUNTS)
    problems.add(
      'no-certificate',
      'Mesh',
      `${sorted.length - MOST_ACCOUNTS} more service accounts have pods without a certificate`
    )
}
