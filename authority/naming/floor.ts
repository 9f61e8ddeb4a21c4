import { type FloorRules, floorOf, NO_FLOOR } from '../../shared/floor/index.ts'
import type { Inventory } from '../../shared/inventory/index.ts'
import type { PeerAuthentication } from '../../shared/policy/index.ts'
import { MutualTlsMode } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { MeshSettings } from './mesh-message.ts'
import type { EffectivePolicy } from './peer-policy.ts'
import type { ProblemList } from './problem.ts'

const STRICT: EffectivePolicy = {
  mode: MutualTlsMode.STRICT,
  portModes: new Map(),
  key: `floor ${MutualTlsMode.STRICT}`
}

/** The policy of a pod under a floor: STRICT on every port where the floor requires mutual TLS. */
export function raised(policy: EffectivePolicy, { mutualTls }: FloorRules): EffectivePolicy {
  if (!mutualTls) return policy
  const isStrict = policy.mode === MutualTlsMode.STRICT && policy.portModes.size === 0
  return isStrict ? policy : STRICT
}

/**
 * Reports policies that ask for less than the floor, which have no effect in that, and policies of the root namespace
 * that a floor keeps above others although a pod can leave their selection by another label.
 */
export function reportBelowFloor(
  { peerAuthentications, endUserAuthentications }: Pick<Inventory, 'peerAuthentications' | 'endUserAuthentications'>,
  { floor = NO_FLOOR, rootNamespace }: Pick<MeshSettings, 'floor' | 'rootNamespace'>,
  problems: ProblemList
): void {
  for (const policy of peerAuthentications) {
    const { namespace, name } = policy
    if (!floorOf(floor, namespace).mutualTls) continue
    for (const lowered of loweredBy(policy))
      problems.add(
        'below-floor',
        `PeerAuthentication ${namespace}/${name}`,
        `${lowered} has no effect: the operator’s floor keeps every port of namespace ${namespace} STRICT; use STRICT or UNSET`
      )
  }
  const isChecked = [floor.mesh, ...floor.namespaces.values()].some(({ endUserChecks }) => endUserChecks)
  for (const { namespace, name, selector } of isChecked ? endUserAuthentications : [])
    if (namespace === rootNamespace && selector !== undefined)
      problems.add(
        'below-floor',
        `EndUserAuthentication ${namespace}/${name}`,
        'selects pods by labels, which their authors may change: under the floor, a policy that must hold has no selector'
      )
}

function loweredBy({ mode, portModes }: PeerAuthentication): string[] {
  const isLower = (of: PeerAuthentication['mode']): boolean => of === 'DISABLE' || of === 'PERMISSIVE'
  const ports = [...portModes].filter(([, of]) => isLower(of)).sort(([a], [b]) => a - b)
  return [...(isLower(mode) ? [`mode ${mode}`] : []), ...ports.map(([port, of]) => `mode ${of} of port ${port}`)]
}
