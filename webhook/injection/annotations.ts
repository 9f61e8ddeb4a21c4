import { isIP } from 'node:net'
import { CERTIFICATES_ANNOTATION } from '../../shared/certificate-secrets/index.ts'
import { EXCLUSIONS, type ExclusionList, readList } from '../../shared/exclusions/index.ts'
import { didYouMean } from '../../shared/suggest/index.ts'
import type { Pod } from '../pod/index.ts'
import { INJECT_LABEL, PREFIX } from './names.ts'
import { AMOUNTS, type ProxyResources, type ResourceName, resourceProblems } from './resources.ts'
import { type InjectionSettings, PROXY_LOG_LEVELS, type ProxyLogLevel } from './settings.ts'

/** What the annotations of a pod make of the settings, for that pod. */
export interface ProxyWishes {
  readonly resources: ProxyResources
  readonly logLevel: ProxyLogLevel
  /** Where the application listens when the proxy owns the pod's address: an IPv4 or IPv6 literal. */
  readonly applicationAddress?: string
  /** Whether probes and hooks go to the proxy, which asks the application. */
  readonly rewriteProbes: boolean
  /** What bypasses the proxy: texts that the agent reads as well, by the names of annotations. */
  readonly exclusions: Readonly<Record<string, string>>
}

interface Annotation {
  /** For docs/annotations.md, like `allowed` and `standard`: a phrase. */
  readonly meaning: string
  readonly allowed: string
  /** What holds for a pod without it. */
  readonly standard: string
  /** What to change in the wishes; `undefined` when the text is not allowed. */
  read(text: string, wishes: ProxyWishes): ProxyWishes | undefined
}

function resource(name: ResourceName, meaning: string): Annotation {
  const { allowed, parse } = AMOUNTS[name]
  return {
    meaning,
    allowed,
    standard: `\`--${RESOURCE_ANNOTATIONS[name].slice(PREFIX.length)}\` of the webhook`,
    read(text, wishes) {
      const quantity = parse(text)
      return quantity && { ...wishes, resources: { ...wishes.resources, [name]: quantity } }
    }
  }
}

function exclusion(list: ExclusionList<unknown>, meaning: string): [string, Annotation] {
  const { name, allowed } = list
  return [
    name,
    {
      meaning,
      allowed,
      standard: 'none',
      read: (text, wishes) => readList(list, text) && { ...wishes, exclusions: { ...wishes.exclusions, [name]: text } }
    }
  ]
}

const RESOURCE_ANNOTATIONS: Readonly<Record<ResourceName, string>> = {
  cpu: `${PREFIX}proxy-cpu`,
  cpuLimit: `${PREFIX}proxy-cpu-limit`,
  memory: `${PREFIX}proxy-memory`,
  memoryLimit: `${PREFIX}proxy-memory-limit`
}

const SWITCH = ['enabled', 'disabled'] as const

export const APPLICATION_ADDRESS = `${PREFIX}application-address`

/** Every annotation of a pod that injection reads. */
export const ANNOTATIONS: ReadonlyMap<string, Annotation> = new Map<string, Annotation>([
  [RESOURCE_ANNOTATIONS.cpu, resource('cpu', 'CPU that the proxy requests')],
  [
    RESOURCE_ANNOTATIONS.cpuLimit,
    resource('cpuLimit', 'CPU that the proxy may use, and, rounded up, how many worker threads it starts')
  ],
  [RESOURCE_ANNOTATIONS.memory, resource('memory', 'memory that the proxy requests')],
  [RESOURCE_ANNOTATIONS.memoryLimit, resource('memoryLimit', 'memory that the proxy may use')],
  [
    `${PREFIX}proxy-log-level`,
    {
      meaning: 'level of the proxy’s own log',
      standard: '`--proxy-log-level` of the webhook',
      allowed: `one of ${PROXY_LOG_LEVELS.join(', ')}`,
      read(text, wishes) {
        const logLevel = PROXY_LOG_LEVELS.find(level => level === text)
        return logLevel && { ...wishes, logLevel }
      }
    }
  ],
  [
    APPLICATION_ADDRESS,
    {
      meaning: 'where the application listens when the proxy owns the pod’s address; outside Kubernetes only',
      standard: 'traffic is redirected',
      allowed: 'an IPv4 or IPv6 address without a port, such as 127.0.0.1 or ::1',
      // A zone ("fe80::1%eth0") names an interface of some other machine.
      read: (text, wishes) =>
        isIP(text) !== 0 && !text.includes('%') ? { ...wishes, applicationAddress: text } : undefined
    }
  ],
  [
    `${PREFIX}rewrite-probes`,
    {
      meaning:
        'whether probes and hooks of the kubelet, which has no certificate, go to the proxy, which asks the application',
      standard: 'enabled',
      allowed: `one of ${SWITCH.join(', ')}`,
      read(text, wishes) {
        const choice = SWITCH.find(value => value === text)
        return choice && { ...wishes, rewriteProbes: choice === 'enabled' }
      }
    }
  ],
  exclusion(
    EXCLUSIONS.inboundPorts,
    'ports of the pod whose incoming connections bypass the proxy: clients reach them in plaintext, whatever the policy, whose status says so; refused where a floor requires mutual TLS or end-user checks (floor.md)'
  ),
  exclusion(EXCLUSIONS.outboundPorts, 'destination ports whose outgoing connections bypass the proxy'),
  exclusion(EXCLUSIONS.outboundCidrs, 'destination addresses whose outgoing connections bypass the proxy'),
  exclusion(
    EXCLUSIONS.interfaces,
    'interfaces of the pod, such as those of a second network, whose connections bypass the proxy in both directions; refused where a floor requires mutual TLS or end-user checks (floor.md)'
  ),
  exclusion(
    EXCLUSIONS.outboundUsers,
    'users in the pod, such as that of a proxy of its own, whose outgoing connections bypass the proxy'
  )
])

/** Annotations under our prefix that are not for injection: on a pod, one means nothing, the other is for mounting. */
const ELSEWHERE: ReadonlySet<string> = new Set([`${PREFIX}service-accounts`, CERTIFICATES_ANNOTATION])

/** The wishes of a pod, and what is wrong with its annotations: each problem names annotation, value, what is allowed. */
export function readAnnotations(pod: Pod, settings: InjectionSettings): { wishes: ProxyWishes; problems: string[] } {
  const { resources, logLevel } = settings
  let wishes: ProxyWishes = { resources, logLevel, rewriteProbes: true, exclusions: {} }
  const problems: string[] = []
  const given = new Set<string>()
  for (const [name, value] of Object.entries(pod.metadata?.annotations ?? {})) {
    if (!name.startsWith(PREFIX) || ELSEWHERE.has(name)) continue
    const annotation = ANNOTATIONS.get(name)
    const read = annotation?.read(value, wishes)
    if (annotation === undefined) problems.push(unknownAnnotation(name))
    else if (read === undefined)
      problems.push(`annotation ${name} ${JSON.stringify(value)}: expected ${annotation.allowed}`)
    wishes = read ?? wishes
    given.add(name)
  }
  const nameOf = (name: ResourceName): string => {
    const key = RESOURCE_ANNOTATIONS[name]
    return given.has(key) ? `annotation ${key}` : `default of ${key}`
  }
  return {
    wishes,
    problems: [...problems, ...resourceProblems(wishes.resources, nameOf), ...exclusionProblems(wishes)]
  }
}

// Clients would be told of plaintext where the proxy answers with mutual TLS.
function exclusionProblems({ applicationAddress, exclusions }: ProxyWishes): string[] {
  if (applicationAddress === undefined) return []
  const why = `expected none together with ${APPLICATION_ADDRESS}: where the proxy owns the address, nothing is captured`
  return Object.entries(exclusions).map(([name, text]) => `annotation ${name} ${JSON.stringify(text)}: ${why}`)
}

function unknownAnnotation(name: string): string {
  if (name === INJECT_LABEL) return `annotation ${name}: not an annotation but a label, of a pod or a namespace`
  const known = [...ANNOTATIONS.keys(), CERTIFICATES_ANNOTATION].map(key => key.slice(PREFIX.length))
  return `annotation ${name}: unknown${didYouMean(name.slice(PREFIX.length), known)}; known are ${known.join(', ')}`
}
