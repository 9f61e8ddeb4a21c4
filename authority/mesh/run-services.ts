import { SpiffeId } from '../../shared/identity/index.ts'
import type { Service } from '../../shared/inventory/index.ts'
import type { Service as ServiceMessage } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'

/** A Service of the mesh and the accounts that run it. */
export interface MeshService {
  readonly namespace: string
  readonly name: string
  readonly headless: boolean
  /** Each as `<namespace>/<account>`; empty: nobody at the moment. */
  readonly accounts: readonly string[]
}

/** What was worked out before, and of what. */
export interface RunServices {
  readonly messages: ReadonlyMap<string, ServiceMessage>
  readonly services: readonly Service[]
  readonly run: readonly MeshService[]
}

/**
 * The Services of the mesh with the accounts of their namespace that run them, as agents are told; without those that are
 * pinned to nobody. The author of a Service decides nothing about accounts of other namespaces.
 * What did not change is the same object as before.
 */
export function runServices(
  messages: ReadonlyMap<string, ServiceMessage>,
  services: readonly Service[],
  previous?: RunServices
): RunServices {
  if (previous !== undefined && previous.messages === messages && previous.services === services) return previous
  const before = new Map(previous?.run.map(service => [nameOf(service), service]))
  const run = services.flatMap(service => {
    const message = messages.get(nameOf(service))
    if (message === undefined || isForNobody(service)) return []
    const known = before.get(nameOf(service))
    const isSame = known?.headless === service.headless && previous?.messages.get(nameOf(service)) === message
    return isSame ? [known] : [meshService(service, message)]
  })
  const isSame = run.length === previous?.run.length && run.every((service, index) => service === previous.run[index])
  return { messages, services, run: isSame ? previous.run : run }
}

/** Not the same as a Service whose pods are all gone: those come back. */
const isForNobody = ({ pinnedAccounts }: Service): boolean => pinnedAccounts?.length === 0

function meshService({ namespace, name, headless }: Service, { identities }: ServiceMessage): MeshService {
  const accounts = identities.flatMap(identity => {
    const { subject } = SpiffeId.parse(identity)
    return subject.kind === 'workload' && subject.namespace === namespace
      ? [`${subject.namespace}/${subject.serviceAccount}`]
      : []
  })
  return { namespace, name, headless, accounts }
}

const nameOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`
