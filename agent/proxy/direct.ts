import { Protocol, type Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { memoize } from './memoize.ts'
import { directClusterName } from './names.ts'
import { distinctPorts } from './service-cluster.ts'

/** What is spoken to a pod at its own address, as a Service of its namespace declares it. */
export type DirectKind = 'http' | 'http2' | 'tcp' | 'undeclared'

const KINDS: Readonly<Record<Protocol, DirectKind>> = {
  [Protocol.UNSPECIFIED]: 'undeclared',
  [Protocol.TCP]: 'tcp',
  [Protocol.TLS]: 'tcp',
  [Protocol.HTTP]: 'http',
  [Protocol.HTTP2]: 'http2'
}

// proto3 enums are open: a value that is not known here is one that a newer authority knows.
export const directKindOf = (protocol: Protocol): DirectKind => KINDS[protocol] ?? 'undeclared'

/** Where connections to the addresses of pods with one identity are led, for one kind of what is spoken there. */
export interface Direct {
  /** Of the cluster, and of the chains that lead there. */
  readonly name: string
  readonly identity: string
  readonly kind: DirectKind
  /** One of the ports that declare it. */
  readonly protocol: Protocol
}

/**
 * Connections to the addresses of the pods behind a Service. They follow from the identities of these pods and from
 * what the Service declares, not from addresses or readiness, so that they stay as they are while a pod lives. Several
 * Services may have the same ones.
 */
export const directsOf: (service: Service) => readonly Direct[] = memoize(service => {
  const protocols = new Map(distinctPorts(service).map(({ protocol }) => [directKindOf(protocol), protocol]))
  return service.podIdentities.flatMap(identity =>
    [...protocols].map(([kind, protocol]) => ({ name: directClusterName(identity, kind), identity, kind, protocol }))
  )
})

/** The first of each name: Services have them in common. */
export function distinct<T extends { readonly name: string }>(items: readonly T[]): readonly T[] {
  const byName = new Map<string, T>()
  for (const item of items) if (!byName.has(item.name)) byName.set(item.name, item)
  return [...byName.values()]
}
