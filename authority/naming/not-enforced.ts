import { floorOf, NO_FLOOR } from '../../shared/floor/index.ts'
import { hasEnded, type Pod } from '../../shared/inventory/index.ts'
import type { UnreadablePolicy } from '../../shared/policy/index.ts'
import { MutualTlsMode } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { OWN_INTERFACE } from './bypass.ts'
import type { SelectedEndUserPolicies } from './end-user-policy.ts'
import type { MeshSettings } from './mesh-message.ts'
import { type EffectivePolicy, modeOfPort } from './peer-policy.ts'
import type { ProblemList } from './problem.ts'
import { accountOf } from './service-message.ts'

/** Which policies select a pod. */
export interface Selections {
  /** What the PeerAuthentications say that can be understood, without floor. */
  readablePolicyOf(pod: Pod): EffectivePolicy
  unreadablePeersOf(pod: Pod): readonly UnreadablePolicy[]
  endUserPoliciesOf(pod: Pod): SelectedEndUserPolicies
}

/** Something of a pod because of which a policy does not hold there. */
interface Gap {
  /** Ports of the pod; absent: all. */
  readonly ports?: readonly number[]
  /** What pods of the account do, after "which"; of ports: those on which the policy would hold. */
  readonly because: (ports: string) => string
  /** What to do about it; "and create them again" follows. */
  readonly next: string
}

const EXCLUDE = 'countersign.dev/exclude-'
/** How many service accounts are told, and how many a policy is told of. */
const MOST_ACCOUNTS = 100
const MOST_PER_POLICY = 20
const MOST_NAMED = 5
const FLOOR = 'the operator’s floor'

/**
 * Reports policies that do not hold for pods which they select, those that cannot be understood included: pods without a proxy, with ports or interfaces excluded
 * from it, or with further volumes of the driver. Each is reported of the policy and of the pods' service account, and so
 * once for all replicas. Pods of excluded namespaces are left out: no policy is expected to hold there.
 */
export function reportNotEnforced(
  pods: readonly Pod[],
  selections: Selections,
  { floor = NO_FLOOR, enrolment }: Pick<MeshSettings, 'floor' | 'enrolment'>,
  problems: ProblemList
): void {
  const report = new Report()
  for (const pod of pods) {
    if (hasEnded(pod) || enrolment?.excludedNamespaces.has(pod.namespace) === true) continue
    const { injection, mutualTls } = floorOf(floor, pod.namespace)
    for (const gap of gapsOf(pod, enrolment !== undefined)) {
      const policies = policiesWith(gap, pod, selections)
      if (mutualTls || (injection && !pod.hasProxy)) policies.set(FLOOR, gap.ports)
      for (const [policy, ports] of policies) report.add(policy, accountOf(pod), gap, ports)
    }
  }
  report.tell(problems)
}

function gapsOf(pod: Pod, inKubernetes: boolean): Gap[] {
  if (!pod.hasProxy)
    return [
      {
        because: () => 'run without a proxy',
        next: 'label their namespace or their template countersign.dev/inject=enabled (pods with hostNetwork cannot have a proxy)'
      }
    ]
  const { bypass, furtherVolumes = [], notCaptured } = pod
  const gaps: Gap[] = []
  if (bypass?.interfaces.includes(OWN_INTERFACE))
    gaps.push({
      because: () => `exclude interface ${OWN_INTERFACE} from their proxy`,
      next: `remove the annotation ${EXCLUDE}interfaces`
    })
  else if (bypass !== undefined && bypass.ports.length > 0)
    gaps.push({
      ports: bypass.ports,
      because: ports => `exclude ${ports} from their proxy`,
      next: `remove the annotation ${EXCLUDE}inbound-ports`
    })
  if (inKubernetes && notCaptured === true)
    gaps.push({
      because: () => 'have traffic that is not captured',
      next: 'remove the annotation countersign.dev/application-address'
    })
  if (furtherVolumes.length > 0)
    gaps.push({
      because: () => `carry further volumes of driver csi.countersign.dev (${listed(furtherVolumes)})`,
      next: 'remove these volumes'
    })
  return gaps
}

/**
 * The policies that select a pod and would hold where there is a gap, each with the ports that it is about. Those that
 * cannot be understood would hold on every port.
 */
function policiesWith({ ports }: Gap, pod: Pod, selections: Selections): Map<string, readonly number[] | undefined> {
  const policy = selections.readablePolicyOf(pod)
  const { required, accepted, unreadable = [] } = selections.endUserPoliciesOf(pod)
  const found = new Map<string, readonly number[] | undefined>()
  const add = (name: string, holds: (port: number) => boolean): void => {
    const held = ports?.filter(holds)
    if (held === undefined || held.length > 0) found.set(name, held)
  }
  for (const one of required) add(`EndUserAuthentication ${one.namespace}/${one.name}`, port => !isExempt(one, port))
  for (const one of accepted.filter(({ rules }) => rules.length > 0))
    add(`RequestAuthentication ${one.namespace}/${one.name}`, port => !isExempt(one, port))
  for (const { kind, namespace, name } of [...unreadable, ...selections.unreadablePeersOf(pod)])
    add(`${kind} ${namespace}/${name}`, () => true)
  const { mode, portModes, decidedBy = {} } = policy
  const isStrict = (port: number): boolean => modeOfPort(policy, port) === MutualTlsMode.STRICT
  if (decidedBy.mode !== undefined && mode === MutualTlsMode.STRICT)
    add(decidedBy.mode, port => isStrict(port) && !portModes.has(port))
  if (decidedBy.ports !== undefined && [...portModes.values()].includes(MutualTlsMode.STRICT))
    add(decidedBy.ports, port => isStrict(port) && portModes.has(port))
  return found
}

interface Exempting {
  readonly namespace: string
  readonly exemptPorts?: readonly number[]
}

const isExempt = ({ exemptPorts = [] }: Exempting, port: number): boolean => exemptPorts.includes(port)

/** What was found, by policy and by account. Nothing of it is lost in `tell` without being counted. */
class Report {
  readonly #byPolicy = new Map<string, Map<string, string>>()
  readonly #byAccount = new Map<string, Map<string, Set<string>>>()

  add(policy: string, account: string, { because, next }: Gap, ports: readonly number[] = []): void {
    const what = because(`port${ports.length === 1 ? '' : 's'} ${listed(ports.map(String))}`)
    const todo = `${next} and create them again`
    entryOf(this.#byPolicy, policy, () => new Map<string, string>()).set(
      `${account} ${what}`,
      `does not hold for pods of service account ${account}, which ${what}; ${todo}`
    )
    const gaps = entryOf(this.#byAccount, account, () => new Map<string, Set<string>>())
    entryOf(gaps, `${what}; ${todo}`, () => new Set<string>()).add(policy)
  }

  tell(problems: ProblemList): void {
    for (const [policy, messages] of this.#byPolicy) {
      if (policy === FLOOR) continue
      const sorted = sortedEntries(messages)
      for (const [, message] of sorted.slice(0, MOST_PER_POLICY)) problems.add('not-enforced', policy, message)
      const more = sorted.length - MOST_PER_POLICY
      if (more > 0) problems.add('not-enforced', policy, `does not hold for ${more} more kinds of pods`)
    }
    const accounts = sortedEntries(this.#byAccount)
    for (const [account, gaps] of accounts.slice(0, MOST_ACCOUNTS))
      for (const [gap, policies] of gaps)
        problems.add(
          'not-enforced',
          `ServiceAccount ${account}`,
          `does not enforce ${listed([...policies].sort())}: its pods ${gap}`
        )
    const more = accounts.length - MOST_ACCOUNTS
    if (more > 0)
      problems.add('not-enforced', 'Mesh', `${more} more service accounts have pods for which a policy does not hold`)
  }
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key) ?? make()
  map.set(key, found)
  return found
}

const sortedEntries = <V>(map: ReadonlyMap<string, V>): [string, V][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

function listed(texts: readonly string[]): string {
  const shown = texts.slice(0, MOST_NAMED).join(', ')
  return texts.length > MOST_NAMED ? `${shown} and ${texts.length - MOST_NAMED} more` : shown
}
