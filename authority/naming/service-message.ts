import { create } from '@bufbuild/protobuf'
import { SpiffeId, type TrustDomain } from '../../shared/identity/index.ts'
import type { Pod, Service } from '../../shared/inventory/index.ts'
import { declarationOf } from '../../shared/port-protocol/index.ts'
import {
  Protocol,
  type Service as ServiceMessage,
  ServiceSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'

/**
 * A Service as its clients see it. Its identities are those that it pins, or else the accounts of the pods behind it,
 * ready or not, with an address or not, terminating or not: a client must know whom to expect before the first
 * connection and until the last one has ended.
 *
 * @param behind the pods behind it that exist and have not ended
 */
export function serviceMessage(service: Service, behind: readonly Pod[], trustDomain: TrustDomain): ServiceMessage {
  const known = behind.filter(({ serviceAccount }) => serviceAccount !== '')
  const accounts = service.pinnedAccounts ?? known.map(accountOf)
  const idsOf = (list: readonly string[]): string[] =>
    [...new Set(list)].map(account => spiffeIdOf(account, trustDomain)).sort()
  return create(ServiceSchema, {
    namespace: service.namespace,
    name: service.name,
    addresses: [...service.addresses],
    ports: service.ports
      .map(port => ({
        number: port.number,
        name: port.name,
        protocol: declarationOf(port)?.protocol ?? Protocol.UNSPECIFIED
      }))
      .sort((a, b) => a.number - b.number),
    identities: idsOf(accounts),
    podIdentities: idsOf(
      known
        .filter(({ namespace, hasProxy }) => hasProxy && namespace === service.namespace)
        .map(accountOf)
        .filter(account => service.pinnedAccounts?.includes(account) !== false)
    )
  })
}

/** `<namespace>/<account>`, as Services pin it. */
export function accountOf({ namespace, serviceAccount }: Pod): string {
  return `${namespace}/${serviceAccount}`
}

/** @param account `<namespace>/<account>` */
export function spiffeIdOf(account: string, trustDomain: TrustDomain): string {
  const [namespace = '', name = ''] = account.split('/')
  return SpiffeId.workload(trustDomain, namespace, name).toString()
}
