import { z } from 'zod'
import { checkBySchema } from './check-by-schema.ts'
import { accepted, type PolicyResult, policyOf } from './issue.ts'
import { MUTUAL_TLS_MODES, type MutualTlsMode, type PeerAuthentication } from './peer-authentication.ts'
import { identityOf, metadata, NO_GATEWAYS, selector } from './policy-identity.ts'
import { map, oneOf, strictObject } from './schema.ts'

const isPort = (key: string): boolean => /^[1-9][0-9]{0,4}$/.test(key) && Number(key) <= 65_535

const mutualTls = strictObject({ mode: oneOf(MUTUAL_TLS_MODES).optional() })

const spec = strictObject(
  {
    selector: selector.optional(),
    mtls: mutualTls.optional(),
    portLevelMtls: map('a map of ports', isPort, 'a port from 1 to 65535', mutualTls)
      .refine(ports => Object.keys(ports).length > 0, {
        error: 'expected at least one port, got {}; leave the field out'
      })
      .optional()
  },
  { targetRef: NO_GATEWAYS, targetRefs: NO_GATEWAYS, mode: 'not here: write it as mtls.mode' }
).refine(hasSelectorForPorts, {
  path: ['portLevelMtls'],
  error: 'only allowed together with selector.matchLabels: ports belong to workloads, not to a namespace',
  // Reported beside whatever else is wrong, not only once that is corrected.
  when: ({ value }) => typeof value === 'object' && value !== null
})

function hasSelectorForPorts(value: unknown): boolean {
  const { selector, portLevelMtls } = value as { selector?: { matchLabels?: object } | null; portLevelMtls?: unknown }
  return portLevelMtls === undefined || Object.keys(selector?.matchLabels ?? {}).length > 0
}

const peerAuthentication = strictObject({
  apiVersion: oneOf(['security.istio.io/v1', 'security.istio.io/v1beta1']),
  kind: oneOf(['PeerAuthentication']),
  metadata,
  spec: spec.optional(),
  status: z.unknown().optional()
})

/**
 * Checks a PeerAuthentication as it was written, in YAML or JSON. An absent namespace is `default`, as for kubectl.
 * Stricter than Istio's own validation in one point only: a field that it does not know is refused, never ignored.
 *
 * Source: istio.io/docs/reference/config/security/peer_authentication
 */
export function checkPeerAuthentication(object: unknown): PolicyResult<PeerAuthentication> {
  const result = checkBySchema(peerAuthentication, object)
  if (!result.ok) return result
  const { apiVersion, metadata, spec } = result.data
  const ports = Object.entries(spec?.portLevelMtls ?? {})
  const policy: PeerAuthentication = {
    ...identityOf(apiVersion, metadata, spec?.selector),
    mode: spec?.mtls?.mode ?? 'UNSET',
    portModes: new Map(ports.map(([port, { mode }]): [number, MutualTlsMode] => [Number(port), mode ?? 'UNSET']))
  }
  const setsNothing = policy.mode === 'UNSET' && [...policy.portModes.values()].every(mode => mode === 'UNSET')
  return accepted(policy, setsNothing ? [SETS_NOTHING] : [])
}

const SETS_NOTHING = { path: [], message: 'it sets nothing: every mode is UNSET, so the next wider policy holds' }

/**
 * As `checkPeerAuthentication`, for who needs no list of issues.
 *
 * @throws CountersignError ERR_POLICY_INVALID naming every field that is wrong; `facts.issues` holds them one by one
 */
export function parsePeerAuthentication(object: unknown): PeerAuthentication {
  return policyOf('PeerAuthentication', checkPeerAuthentication(object))
}
