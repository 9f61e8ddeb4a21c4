import * as z from 'zod'
import {
  clusterAddress,
  dnsLabel,
  flag,
  HEADLESS,
  mapping,
  optional,
  optionalList,
  portNumber,
  portReference,
  text,
  transport
} from './field.ts'
import { type Issue, issuesOf, type Normalised, show } from './issue.ts'
import { labels } from './label.ts'
import { labelNamedMetadata } from './metadata.ts'
import { PINNED_ACCOUNTS, parsePinnedAccounts } from './pinned-accounts.ts'
import type { Labels, Service, ServicePort } from './types.ts'

const TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const

const port = mapping({
  name: optional(dnsLabel),
  port: portNumber,
  targetPort: optional(portReference),
  protocol: transport,
  appProtocol: optional(text)
})

const schema = mapping({
  metadata: labelNamedMetadata,
  spec: mapping({
    type: optional(z.enum(TYPES, { error: TYPES.join(', ') })),
    clusterIP: optional(clusterAddress),
    clusterIPs: optionalList(clusterAddress),
    selector: labels,
    publishNotReadyAddresses: optional(flag),
    ports: optionalList(port)
  })
})
type Spec = z.output<typeof schema>['spec']

/** Kubernetes, core/v1 Service. */
export function serviceFromManifest(object: unknown): Normalised<Service> {
  const parsed = schema.safeParse(object)
  if (!parsed.success) return { value: undefined, issues: issuesOf(parsed.error, object) }
  const { metadata, spec } = parsed.data
  const portIssues = checkPorts(spec)
  if (portIssues.length > 0) return { value: undefined, issues: portIssues }
  const annotation = metadata.annotations[PINNED_ACCOUNTS]
  const pinned = annotation === undefined ? undefined : parsePinnedAccounts(annotation, metadata.namespace)
  const type = spec.type ?? 'ClusterIP'
  const addresses = [spec.clusterIP ?? '', ...spec.clusterIPs].filter(address => address !== '')
  const service: Service = Object.freeze({
    namespace: metadata.namespace,
    name: metadata.name,
    type,
    addresses: Object.freeze([...new Set(addresses)].filter(address => address !== HEADLESS)),
    headless: addresses.includes(HEADLESS),
    // core/v1: the selector of an ExternalName is ignored.
    selector: type === 'ExternalName' ? Object.freeze({}) : spec.selector,
    publishNotReady: spec.publishNotReadyAddresses ?? false,
    ports: Object.freeze(spec.ports.filter(({ protocol }) => protocol === 'TCP').map(portOf)),
    ...(pinned === undefined ? {} : { pinnedAccounts: pinned.accounts })
  })
  return { value: service, issues: [...(pinned?.issues ?? []), ...checkAnnotations(metadata.annotations)] }
}

// A misspelt one pins nothing, and its author believes that it does.
function checkAnnotations(annotations: Labels): readonly Issue[] {
  return Object.keys(annotations)
    .filter(name => name !== PINNED_ACCOUNTS)
    .map(name => ({
      path: ['metadata', 'annotations', name],
      message: `unknown: on a Service only ${PINNED_ACCOUNTS} means something`
    }))
}

function portOf({ name, port, targetPort, appProtocol }: Spec['ports'][number]): ServicePort {
  return Object.freeze({
    name: name ?? '',
    number: port,
    targetPort: targetPort ?? port,
    protocol: 'TCP',
    ...(appProtocol === undefined ? {} : { appProtocol })
  })
}

// What the API server would refuse, and what would make two ports indistinguishable.
function checkPorts({ type, clusterIP, ports }: Spec): readonly Issue[] {
  const issues: Issue[] = []
  if (ports.length === 0 && type !== 'ExternalName' && clusterIP !== HEADLESS)
    issues.push({ path: ['spec', 'ports'], message: 'required: expected at least one port' })
  const names = new Set<string>()
  const numbers = new Set<string>()
  for (const [index, { name, port, protocol }] of ports.entries()) {
    const path = ['spec', 'ports', index]
    if (name === undefined && ports.length > 1)
      issues.push({ path: [...path, 'name'], message: 'required: expected a name, because there are several ports' })
    if (name !== undefined && names.has(name))
      issues.push({ path: [...path, 'name'], message: `expected a name that no other port has, got ${show(name)}` })
    const number = `${port}/${protocol}`
    if (numbers.has(number))
      issues.push({ path: [...path, 'port'], message: `expected a port that is not there twice, got ${number}` })
    numbers.add(number)
    if (name !== undefined) names.add(name)
  }
  return issues
}
