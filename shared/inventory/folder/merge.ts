import { ANY_NETWORK, type PodNetworks, resolveClaims } from '../claims.ts'
import { endpointsFromSelectors } from '../endpoints.ts'
import { indexPods } from '../pod-index.ts'
import type { Secret } from '../secret.ts'
import { endpointsFromSlices } from '../slice-endpoints.ts'
import type { Inventory, Node, Pod } from '../types.ts'
import { type Declaration, declarationsOf, nameOf, valuesOf } from './declaration.ts'
import { formatPlace, type Problem, problemAt } from './problem.ts'

export interface Merged {
  readonly inventory: Inventory
  readonly secrets: readonly Secret[]
  readonly problems: readonly Problem[]
  /** The file that each object was taken from. */
  readonly owners: ReadonlyMap<string, string>
}

export interface MergeOptions {
  readonly podCidrs: 'enforced' | 'ignored'
  /** Of the previous inventory: who held an address goes on holding it. */
  readonly previousPods: readonly Pod[]
}

/**
 * Puts the files together, in the order given. Of two objects with one name the second is left out and reported; but
 * an object that is in force is not pushed aside by a file that comes later in time and earlier in the order: it
 * stays with its file as long as that declares it.
 */
export function mergeDeclarations(
  files: readonly (readonly Declaration[])[],
  previousOwners: ReadonlyMap<string, string>,
  { podCidrs, previousPods }: MergeOptions = { podCidrs: 'enforced', previousPods: [] }
): Merged {
  const problems: Problem[] = []
  // Policies that cannot be understood close, each for itself: none of them makes another unnecessary.
  const unreadable = files.flat().filter(({ kind }) => kind === 'UnreadablePolicy')
  const readable = files.flat().filter(({ kind }) => kind !== 'UnreadablePolicy')
  const accepted = withoutDuplicates(readable, previousOwners, problems)
  const services = valuesOf(accepted, 'Service')
  const networks = podCidrs === 'enforced' ? networksOf(valuesOf(accepted, 'Node')) : ANY_NETWORK
  const context = { services, networks, previous: previousPods }
  const { pods, mirrors } = resolveClaims(valuesOf(accepted, 'Pod'), context)
  const index = indexPods(pods, mirrors)
  const selectorless = services.filter(({ selector }) => Object.keys(selector).length === 0)
  checkSlices(accepted, problems)
  const slices = valuesOf(accepted, 'EndpointSlice')
  const inventory: Inventory = {
    namespaces: valuesOf(accepted, 'Namespace'),
    serviceAccounts: valuesOf(accepted, 'ServiceAccount'),
    pods,
    services,
    endpoints: [...endpointsFromSelectors(services, index), ...endpointsFromSlices(selectorless, slices, index)],
    peerAuthentications: valuesOf(accepted, 'PeerAuthentication'),
    requestAuthentications: valuesOf(accepted, 'RequestAuthentication'),
    endUserAuthentications: valuesOf(accepted, 'EndUserAuthentication'),
    unreadablePolicies: valuesOf(unreadable, 'UnreadablePolicy')
  }
  const secrets = valuesOf(accepted, 'Secret')
  return { inventory, secrets, problems, owners: new Map(accepted.map(object => [nameOf(object), object.place.file])) }
}

/** A folder need not hold the Nodes: without, nothing is known of their networks. */
function networksOf(nodes: readonly Node[]): PodNetworks {
  const byName = new Map(nodes.map(({ name, podNetworks }) => [name, podNetworks]))
  return node => {
    const networks = node === undefined ? undefined : byName.get(node)
    return networks?.length === 0 ? undefined : networks
  }
}

function withoutDuplicates(
  declarations: readonly Declaration[],
  previousOwners: ReadonlyMap<string, string>,
  problems: Problem[]
): readonly Declaration[] {
  const kept = new Set<Declaration>()
  for (const [name, [first, ...others]] of Map.groupBy(declarations, nameOf)) {
    if (first === undefined) continue
    const owner = previousOwners.get(name)
    const winner = [first, ...others].find(({ place }) => place.file === owner) ?? first
    kept.add(winner)
    for (const loser of [first, ...others])
      if (loser !== winner)
        problems.push(
          problemAt(
            'error',
            loser.place,
            ['metadata', 'name'],
            `${name} is already declared at ${formatPlace(winner.place)}`
          )
        )
  }
  const uids = new Map<string, Declaration>()
  for (const declaration of declarationsOf([...kept], 'Pod')) {
    const { uid } = declaration.value
    const other = uids.get(uid)
    if (other === undefined) {
      uids.set(uid, declaration)
      continue
    }
    kept.delete(declaration)
    const message = `expected a UID that no other pod has, got that of ${nameOf(other)} at ${formatPlace(other.place)}`
    problems.push(problemAt('error', declaration.place, ['metadata', 'uid'], message))
  }
  return declarations.filter(declaration => kept.has(declaration))
}

const SERVICE_NAME = ['metadata', 'labels', 'kubernetes.io/service-name']

function checkSlices(declarations: readonly Declaration[], problems: Problem[]): void {
  const services = new Map(declarationsOf(declarations, 'Service').map(service => [nameOf(service), service.value]))
  for (const { value, place } of declarationsOf(declarations, 'EndpointSlice')) {
    const name = `Service ${value.namespace}/${value.service}`
    const service = services.get(name)
    if (service === undefined)
      problems.push(problemAt('warning', place, SERVICE_NAME, `there is no ${name}: the slice has no effect`))
    else if (Object.keys(service.selector).length > 0)
      problems.push(
        problemAt(
          'warning',
          place,
          SERVICE_NAME,
          `${name} has a selector: its endpoints follow from its pods, the slice has no effect`
        )
      )
  }
}
