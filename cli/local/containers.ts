import { join } from 'node:path'
import type { V1Container } from '@kubernetes/client-node'
import type { LocalPod } from './pod.ts'
import type { ProcessSpec } from './process.ts'

const MOUNT = '/run/countersign'
export const PROXY = 'countersign-proxy'

// Images that this runner knows, each as a program of this checkout.
const PROGRAMS: Readonly<Record<string, string>> = {
  'countersign.dev/examples/echo:1': join(import.meta.dirname, '../../examples/echo/main.ts')
}

/** The sidecar that the webhook put into the pod, or undefined when the pod was left alone. */
export function proxyContainer(pod: LocalPod): V1Container | undefined {
  return pod.manifest.spec?.initContainers?.find(container => container.name === PROXY)
}

/** The injected container as a process: its own arguments, with the volume where it is on this machine. */
export function proxyProcess(pod: LocalPod, container: V1Container, envoy: string, volume: string): ProcessSpec {
  const args = (container.args ?? []).map(argument => argument.replaceAll(MOUNT, volume))
  return { name: `${pod.name}/${PROXY}`, command: envoy, args, folder: volume }
}

/** An application container as a process. Its address is the pod's private one: the proxy owns the public one. */
export function applicationProcess(pod: LocalPod, container: V1Container): ProcessSpec {
  const program = PROGRAMS[container.image ?? '']
  if (program === undefined)
    throw new Error(
      `container ${container.name} of pod ${pod.name} has image ${container.image}, which cannot run without a cluster: known are ${Object.keys(PROGRAMS).join(', ')}`
    )
  return {
    name: `${pod.name}/${container.name}`,
    command: process.execPath,
    args: [program],
    environment: {
      HOST: pod.applicationAddress,
      PORT: String(container.ports?.[0]?.containerPort ?? 8080),
      POD_NAME: pod.name
    }
  }
}
