import { isDeepStrictEqual } from 'node:util'
import { type Floor, floorOf, NO_FLOOR } from '../../shared/floor/index.ts'
import { checkPeerAuthentication, formatPath, type MutualTlsMode } from '../../shared/policy/index.ts'
import type { Verdict } from './answer.ts'
import type { AdmissionRequest } from './review.ts'

/**
 * The refusal of a PeerAuthentication that asks for less than the operator's floor; undefined for every other object, for
 * one that is not valid, and for a change that leaves the specification as it is.
 *
 * Without this webhook such a policy is stored and has no effect: the authority applies the floor, too.
 */
export function reviewFloor(request: AdmissionRequest, floor: Floor = NO_FLOOR): Verdict | undefined {
  const { kind, operation, namespace, object, oldObject } = request
  if (operation !== 'CREATE' && operation !== 'UPDATE') return undefined
  if (kind.group !== 'security.istio.io' || kind.kind !== 'PeerAuthentication') return undefined
  if (!floorOf(floor, namespace).mutualTls) return undefined
  if (operation === 'UPDATE' && isDeepStrictEqual(specOf(object), specOf(oldObject))) return undefined
  const result = checkPeerAuthentication(object)
  if (!result.ok) return undefined
  const { mode, portModes } = result.policy
  const problems = [
    ...(isLower(mode) ? [problem(['spec', 'mtls', 'mode'], mode, namespace)] : []),
    ...[...portModes]
      .filter(([, of]) => isLower(of))
      .map(([port, of]) => problem(['spec', 'portLevelMtls', String(port), 'mode'], of, namespace))
  ]
  if (problems.length === 0) return undefined
  return { kind: 'deny', outcome: 'refused', reason: 'invalid', message: problems.join('; ') }
}

const isLower = (mode: MutualTlsMode): boolean => mode === 'DISABLE' || mode === 'PERMISSIVE'

function problem(path: readonly string[], mode: MutualTlsMode, namespace: string): string {
  return `${formatPath(path)} ${mode}: expected STRICT or UNSET: the operator’s floor requires mutual TLS in namespace ${namespace} (docs/floor.md)`
}

function specOf(object: unknown): unknown {
  return typeof object === 'object' && object !== null ? (object as { readonly spec?: unknown }).spec : undefined
}
