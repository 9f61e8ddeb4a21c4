import { containersOf, type PlacedContainer, type Pod } from '../pod/index.ts'
import { PROXY_CONTAINER, PROXY_PORTS, PROXY_USER } from './names.ts'

// Sidecars of other meshes: two proxies would both redirect the traffic of the pod.
const OTHER_PROXIES: Readonly<Record<string, string>> = { 'istio-proxy': 'Istio', 'linkerd-proxy': 'Linkerd' }

const PURPOSE: ReadonlyMap<number, string> = new Map(Object.entries(PROXY_PORTS).map(([what, port]) => [port, what]))

/** Sidecars of other meshes, each as a sentence. */
export function otherProxies(pod: Pod): string[] {
  return containersOf(pod).flatMap(({ container, path }) => {
    const mesh = OTHER_PROXIES[container.name]
    return mesh === undefined ? [] : [`${path}: the proxy of ${mesh}; a pod can only be in one mesh`]
  })
}

/** Users and ports of the pod's own containers that the proxy needs for itself, each as a sentence. */
export function proxyConflicts(pod: Pod): string[] {
  const own = containersOf(pod).filter(({ container }) => container.name !== PROXY_CONTAINER)
  return [...userConflicts(pod, own), ...own.flatMap(portConflicts)]
}

// What this user sends is not redirected: that is how the proxy itself gets out. The group decides nothing.
function userConflicts(pod: Pod, own: readonly PlacedContainer[]): string[] {
  const why = `expected any user but ${PROXY_USER}, whose traffic bypasses the proxy`
  const reserved = own
    .filter(({ container }) => container.securityContext?.runAsUser === PROXY_USER)
    .map(({ path }) => `${path}.securityContext.runAsUser ${PROXY_USER}: ${why}`)
  const inherited = own.some(({ container }) => container.securityContext?.runAsUser == null)
  if (pod.spec?.securityContext?.runAsUser === PROXY_USER && inherited)
    reserved.unshift(`spec.securityContext.runAsUser ${PROXY_USER}: ${why}`)
  return reserved
}

function portConflicts({ container, path }: PlacedContainer): string[] {
  return (container.ports ?? []).flatMap(({ containerPort, protocol }) => {
    const conflict = (protocol ?? 'TCP') === 'TCP' ? reservedPort(containerPort) : undefined
    return conflict === undefined ? [] : [`${path}.ports ${containerPort}: ${conflict}`]
  })
}

/** Why a port cannot be the application's, if it cannot. */
export function reservedPort(port: number): string | undefined {
  const purpose = PURPOSE.get(port)
  if (purpose === undefined) return undefined
  return `expected any port but ${[...PURPOSE.keys()].join(', ')}; the proxy uses it (${purpose})`
}
