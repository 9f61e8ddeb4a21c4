import { z } from 'zod'
import { CountersignError } from '../errors/index.ts'
import { DNS_LABEL, DNS_SUBDOMAIN, LABEL_KEY, LABEL_VALUE } from '../names/index.ts'
import { describeIssue, type PolicyIssue, type PolicyResult } from './issue.ts'
import { MUTUAL_TLS_MODES, type MutualTlsMode, type PeerAuthentication } from './peer-authentication.ts'
import { expected, map, oneOf, openObject, strictObject, text } from './schema.ts'

const isPort = (key: string): boolean => /^[1-9][0-9]{0,4}$/.test(key) && Number(key) <= 65_535

const mutualTls = strictObject({ mode: oneOf(MUTUAL_TLS_MODES).optional() })

const spec = strictObject({
  selector: strictObject({
    matchLabels: map(
      'a map of labels',
      LABEL_KEY,
      'the key of a label',
      text(LABEL_VALUE, 'the value of a label')
    ).optional()
  }).optional(),
  mtls: mutualTls.optional(),
  portLevelMtls: map('a map of ports', isPort, 'a port from 1 to 65535', mutualTls)
    .refine(ports => Object.keys(ports).length > 0, {
      error: 'expected at least one port, got {}; leave the field out'
    })
    .optional()
}).refine(hasSelectorForPorts, {
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
  metadata: openObject({
    name: text(DNS_SUBDOMAIN, 'a name of lower-case letters, digits, dashes and dots'),
    namespace: text(DNS_LABEL, 'the name of a namespace').optional(),
    creationTimestamp: z.iso.datetime({ offset: true, error: expected('a time as in RFC 3339') }).nullish()
  }),
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
  const result = peerAuthentication.safeParse(object)
  if (!result.success) return { ok: false, issues: Object.freeze(result.error.issues.map(toIssue)) }
  const { apiVersion, metadata, spec } = result.data
  const labels = Object.entries(spec?.selector?.matchLabels ?? {})
  const ports = Object.entries(spec?.portLevelMtls ?? {})
  const policy: PeerAuthentication = {
    apiVersion,
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    ...(metadata.creationTimestamp ? { creationTimestamp: Date.parse(metadata.creationTimestamp) } : {}),
    ...(labels.length > 0 ? { selector: Object.freeze(Object.fromEntries(labels)) } : {}),
    mode: spec?.mtls?.mode ?? 'UNSET',
    portModes: new Map(ports.map(([port, { mode }]): [number, MutualTlsMode] => [Number(port), mode ?? 'UNSET']))
  }
  return { ok: true, policy: Object.freeze(policy) }
}

/**
 * As `checkPeerAuthentication`, for who needs no list of issues.
 *
 * @throws CountersignError ERR_POLICY_INVALID naming every field that is wrong; `facts.issues` holds them one by one
 */
export function parsePeerAuthentication(object: unknown): PeerAuthentication {
  const result = checkPeerAuthentication(object)
  if (result.ok) return result.policy
  const issues = result.issues.map(describeIssue)
  throw new CountersignError('ERR_POLICY_INVALID', `PeerAuthentication is not valid: ${issues.join('; ')}`, {
    facts: { issues }
  })
}

function toIssue(issue: z.core.$ZodIssue): PolicyIssue {
  const path = issue.path.map(key => (typeof key === 'number' ? key : String(key)))
  return Object.freeze({ path: Object.freeze(path), message: issue.message })
}
