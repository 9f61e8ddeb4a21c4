import type * as z from 'zod'
import {
  accountNameOrEmpty,
  dnsLabel,
  dnsSubdomain,
  list,
  mapping,
  optional,
  optionalList,
  portName,
  portNumber,
  text,
  transport
} from './field.ts'
import type { ContainerPort } from './types.ts'

/** The name of the proxy's container: a pod that has it has a proxy. */
const PROXY = 'countersign-proxy'

const container = mapping({
  name: dnsLabel,
  image: optional(text),
  restartPolicy: optional(text),
  ports: optionalList(mapping({ name: optional(portName), containerPort: portNumber, protocol: transport }))
})

/** The part of core/v1 PodSpec that is read: of pods, and of the templates of those who make pods. */
export const podSpec = mapping({
  nodeName: optional(dnsSubdomain),
  // An empty name means the default account: core/v1 defaulting.
  serviceAccountName: optional(accountNameOrEmpty),
  initContainers: optionalList(container),
  containers: list(container).min(1, { error: 'at least one container' })
})

export type PodSpec = z.output<typeof podSpec>

export function hasProxy(spec: PodSpec): boolean {
  return [...spec.initContainers, ...spec.containers].some(({ name }) => name === PROXY)
}

/**
 * What the application's containers declare, in their order. Native sidecars (init containers that restart always)
 * listen too, and Kubernetes looks for named ports in them as well; the proxy's own ports are not the application's.
 */
export function declaredPorts(spec: PodSpec): readonly ContainerPort[] {
  const sidecars = spec.initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')
  return Object.freeze(
    [...spec.containers, ...sidecars]
      .filter(({ name }) => name !== PROXY)
      .flatMap(({ ports }) => ports)
      .map(({ name, containerPort: number, protocol }) =>
        Object.freeze({ ...(name === undefined ? {} : { name }), number, protocol })
      )
  )
}
