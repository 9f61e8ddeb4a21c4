import type { Pod, RefusedEndpoint, Service, ServiceEndpoints, UnheldAddress } from '../../shared/inventory/index.ts'
import type { NamingProblem, ProblemList } from './problem.ts'

/** Reports addresses that pods report and do not hold; a disputed one with both pods. */
export function reportUnheldAddresses(pods: readonly Pod[], problems: ProblemList): void {
  for (const pod of pods)
    for (const unheld of pod.unheld ?? []) {
      const { kind, message } = describeUnheld(pod, unheld)
      problems.add(kind, subjectOf(pod), message)
      if (unheld.why === 'other-pod') {
        const other = `pod ${pod.namespace}/${pod.name} reports its address ${unheld.address}, too, and does not hold it`
        problems.add('address-disputed', `Pod ${unheld.holder}`, `${other}: delete the pod that does not have it`)
      }
    }
}

const subjectOf = ({ namespace, name }: Pod): string => `Pod ${namespace}/${name}`

function describeUnheld(
  pod: Pod,
  unheld: UnheldAddress
): { readonly kind: NamingProblem['kind']; readonly message: string } {
  const nowhere = 'no client is led to the pod there'
  const { address } = unheld
  switch (unheld.why) {
    case 'other-pod':
      return {
        kind: 'address-disputed',
        message: `reports address ${address}, which pod ${unheld.holder} holds: ${nowhere}; delete the pod that does not have it`
      }
    case 'service':
      return {
        kind: 'address-disputed',
        message: `reports address ${address}, which is the virtual address of Service ${unheld.holder}: ${nowhere}`
      }
    case 'outside-node': {
      const networks =
        unheld.networks.length === 0 ? 'which is not known' : `whose spec.podCIDRs are ${unheld.networks.join(', ')}`
      return {
        kind: 'address-outside-node',
        message: `reports address ${address} on Node ${pod.node}, ${networks}: ${nowhere}; where the network of the cluster ignores podCIDRs, start the authority with --pod-cidrs=ignored`
      }
    }
  }
}

const REFUSALS: Readonly<Record<RefusedEndpoint['kind'], NamingProblem['kind']>> = {
  contradictory: 'endpoint-contradictory',
  'unknown-pod': 'endpoint-unknown',
  'mirror-pod': 'endpoint-mirror-pod'
}

/** Reports endpoints of EndpointSlices that are left out because they contradict the pods. */
export function reportRefusedEndpoints(
  { namespace, name }: Service,
  endpoints: ServiceEndpoints | undefined,
  problems: ProblemList
): void {
  if (endpoints?.refused === undefined) return
  const { first, count } = endpoints.refused
  const subject = `Service ${namespace}/${name}`
  for (const { address, kind, because } of first)
    problems.add(REFUSALS[kind], subject, `endpoint ${address} is left out: ${because}`)
  if (count > first.length)
    problems.add('endpoint-contradictory', subject, `${count - first.length} more endpoints are left out`)
}
