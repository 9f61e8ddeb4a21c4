import type { Endpoint, Pod } from '../../shared/inventory/index.ts'
import { MutualTlsMode } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type EffectivePolicy, modeOfPort } from './peer-policy.ts'
import type { ProblemList } from './problem.ts'
import { accountOf } from './service-message.ts'

// The interface that has the addresses of a pod's status; container runtimes name it so, whatever the network is.
const OWN_INTERFACE = 'eth0'

/** Whether connections meet the bare application, because capture leaves them alone. */
export function bypassesProxy({ bypass, addresses }: Pod, { address, port }: Endpoint): boolean {
  if (bypass === undefined) return false
  return bypass.ports.includes(port) || (bypass.interfaces.includes(OWN_INTERFACE) && addresses.includes(address))
}

/**
 * Tells where a pod takes plaintext although a policy says STRICT: who writes a pod may do that, and who writes policies
 * should know. It is told of the pod's account, and so once for all replicas.
 */
export function reportBypass(pod: Pod, policy: EffectivePolicy, problems: ProblemList): void {
  if (pod.bypass === undefined) return
  const { ports, interfaces } = pod.bypass
  const isStrict = (mode: MutualTlsMode): boolean => mode === MutualTlsMode.STRICT
  const report = (excluded: string, where: string): void =>
    problems.add(
      'strict-bypassed',
      `ServiceAccount ${accountOf(pod)}`,
      `runs pods that exclude ${excluded} from capture: they take plaintext ${where}, although it is STRICT`
    )
  for (const port of ports) if (isStrict(modeOfPort(policy, port))) report(`port ${port}`, 'there')
  if (interfaces.includes(OWN_INTERFACE) && [policy.mode, ...policy.portModes.values()].some(isStrict))
    report(`interface ${OWN_INTERFACE}`, 'on every port')
}
