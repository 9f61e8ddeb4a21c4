import type { RequestAuthentication } from '../../shared/policy/index.ts'
import { describePort, portReport } from '../../shared/port-traffic/index.ts'
import type { TokenRule } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { SelectedEndUserPolicies } from './end-user-policy.ts'
import type { ProblemList } from './problem.ts'
import type { DeclaredPort } from './workload-port.ts'

/** Reports RequestAuthentications without rules: they are valid, and check nothing. */
export function reportWithoutRules(policies: readonly RequestAuthentication[], problems: ProblemList): void {
  for (const { namespace, name, rules } of policies)
    if (rules.length === 0)
      problems.add(
        'policy-ignored',
        `RequestAuthentication ${namespace}/${name}`,
        'does nothing: spec.jwtRules is absent or empty, so no token is checked; add a rule or delete the policy'
      )
}

/**
 * Reports ports that a policy on end users closes, restricts to HTTP, exempts, or cannot check. Reported once per policy
 * and port, and so once for all replicas of a workload.
 *
 * @param rules that hold for the workload
 */
export function reportUnchecked(
  { required, accepted }: SelectedEndUserPolicies,
  ports: readonly DeclaredPort[],
  rules: readonly TokenRule[],
  problems: ProblemList
): void {
  const report = (subject: string, own: { required: boolean; exemptPorts: readonly number[] }): void => {
    for (const port of ports) {
      const result = portReport(port, [{ ...own, exemptPorts: [...own.exemptPorts] }], rules)
      if (result.outcome === 'checked') continue
      problems.add('end-users-unchecked', subject, `selects pods with ${describePort(result)}`)
    }
  }
  for (const { namespace, name, exemptPorts } of required)
    report(`EndUserAuthentication ${namespace}/${name}`, { required: true, exemptPorts })
  for (const { namespace, name, exemptPorts, rules: sources } of accepted)
    if (sources.length > 0) report(`RequestAuthentication ${namespace}/${name}`, { required: false, exemptPorts })
}
