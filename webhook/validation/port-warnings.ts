import { hasEnded, type Labels, type Pod, type Service } from '../../shared/inventory/index.ts'
import { claimedPorts, heldProtocol } from '../../shared/port-protocol/index.ts'
import { type PortReport, portReport } from '../../shared/port-traffic/index.ts'
import type { PolicyOnPorts } from './policy-on-ports.ts'

interface Workloads {
  readonly pods: readonly Pod[]
  readonly services: readonly Service[]
  readonly isPartial: boolean
}

const MOST_PORTS = 10

/**
 * Warnings that name the ports which a policy closes or restricts to HTTP, those that it closes first. What it means
 * together with other policies is in its status.
 *
 * @param workloads of the policy's namespace
 */
export function portWarnings(policy: PolicyOnPorts, { pods, services, isPartial }: Workloads): readonly string[] {
  const reports = new Map<string, PortReport>()
  const own = [policy.rule]
  for (const pod of pods) {
    if (!pod.hasProxy || hasEnded(pod) || !has(pod.labels, policy.labels)) continue
    for (const { number, claims } of claimedPorts(
      pod,
      services.filter(service => selects(service, pod))
    )) {
      const isChecked = !policy.rule.exemptPorts.includes(number)
      const report = portReport({ number, ...heldProtocol(claims, isChecked) }, own, own)
      if (report.outcome === 'closed' || report.outcome === 'http-only')
        reports.set(`${report.outcome} ${number} ${report.declaration}`, report)
    }
  }
  const sorted = [...reports].sort(
    ([a, first], [b, second]) =>
      Number(first.outcome !== 'closed') - Number(second.outcome !== 'closed') ||
      first.number - second.number ||
      (a < b ? -1 : 1)
  )
  const texts = sorted.slice(0, MOST_PORTS).map(([, report]) => warning(report, policy.exemptBy))
  const more = sorted.length - texts.length
  return [
    ...texts,
    ...(more > 0 ? [`and ${more} more ports that the policy closes or restricts to HTTP: see its status`] : []),
    ...(isPartial
      ? ['more than 500 pods or Services: not all ports were looked at; the status of the policy lists them']
      : [])
  ]
}

/** For a policy of the root namespace, whose pods are in every namespace. */
export function meshWideWarning({ rule, exemptBy }: PolicyOnPorts): string {
  const closed = rule.required ? 'ports declared TCP or TLS are closed to callers and ' : ''
  return `the policy is for the whole mesh: ${closed}ports that declare nothing carry HTTP only, unless exempt by ${exemptBy}; the status of the policy lists them`
}

/** @param reason as a phrase */
export function unknownPortsWarning(reason: string): string {
  return `the ports that the policy closes are not known: ${reason}; the status of the policy lists them`
}

// The API server cuts a warning at 256 characters: what matters comes first.
function warning({ number, outcome, declaration }: PortReport, exemptBy: string): string {
  const effect = outcome === 'closed' ? 'closed to callers' : 'HTTP only'
  return `port ${number} of selected pods is ${effect} unless exempt by ${exemptBy} (${declaration})`
}

function selects({ namespace, type, selector }: Service, pod: Pod): boolean {
  if (type === 'ExternalName' || Object.keys(selector).length === 0) return false
  return namespace === pod.namespace && has(pod.labels, selector)
}

const has = (labels: Labels, wanted: Labels): boolean =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value)
