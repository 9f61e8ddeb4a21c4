// What the agent of a bystander makes of the mesh: the pod web/web has nothing to do with attacker or victim, and calls.

import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import { composeSnapshot } from '../../agent/proxy/index.ts'
import { type MeshState, meshState } from '../../authority/naming/index.ts'
import { settings } from '../../authority/naming/mesh.test-support.ts'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import type { Inventory } from '../../shared/inventory/index.ts'
import { TYPE } from '../../shared/xds/index.ts'
import { resourceJson } from '../envoy/index.ts'

const root = await newRoot()
const svid = await newSvid(root, spiffeId('web', 'web'))
const bystander = {
  workload: newWorkload({
    namespace: 'web',
    name: 'web-0',
    serviceAccount: 'web',
    addresses: ['10.0.9.9', 'fd00:9::9']
  }),
  svid,
  interception: { kind: 'redirect' },
  probes: []
} as const

export const attackSettings = { ...settings, trustDomain: parseTrustDomain('mesh.test') }

export interface Place {
  readonly address: string
  readonly port: number
}

/** What the proxy of the bystander does with connections. */
export class Bystander {
  readonly mesh: MeshState
  readonly #resources: ReadonlyMap<string, ReadonlyMap<string, JsonObject>>

  constructor(inventory: Inventory) {
    this.mesh = meshState(inventory, attackSettings)
    const { services, endpoints } = this.mesh
    const { types } = composeSnapshot({ ...newState({ roots: [root] }), services, endpoints }, bystander)
    this.#resources = new Map(
      [...types].map(([type, resources]) => [
        type,
        new Map([...resources.values()].map(resource => [resource.name, resourceJson(resource) as JsonObject]))
      ])
    )
  }

  /**
   * What becomes of a connection to a place: `passed on`, `closed`, or the kind of the filter, with the SPIFFE IDs that
   * the server has to have and, of a Service, the endpoints that may be chosen.
   */
  at({ address, port }: Place): string {
    const outbound = this.#json(TYPE.listener, 'outbound')
    const undeclared = this.#json(TYPE.listener, 'outbound-undeclared')
    const first = chainFor(outbound, { address, port })
    const chain = first === 'undeclared' ? chainFor(undeclared, { address, port }) : first
    if (chain === undefined) return 'passed on'
    if (chain === 'black-hole') return 'closed'
    const chains = [outbound, undeclared].flatMap(listener => (listener['filterChains'] ?? []) as JsonObject[])
    const [filter] = (chains.find(({ name }) => name === chain)?.['filters'] ?? []) as JsonObject[]
    if (filter === undefined) throw new Error(`chain ${chain} is not there`)
    const config = this.#json(TYPE.extensionConfig, String(filter['name']))
    const [, cluster = ''] = /"cluster":"([^"]+)"/.exec(JSON.stringify(config)) ?? []
    const kind = `${first === 'undeclared' ? 'undeclared ' : ''}${String(filter['name']).split('/').at(-1)}`
    return `${kind} ${this.#peers(cluster)} ${this.#endpoints(cluster)}`.trim()
  }

  #peers(cluster: string): string {
    const text = JSON.stringify(this.#json(TYPE.cluster, cluster)['transportSocket'])
    const [, secret = ''] = /"validationContextSdsSecretConfig":\{"name":"([^"]+)"/.exec(text) ?? []
    const context = this.#json(TYPE.secret, secret)['validationContext'] as JsonObject
    const names = context['matchTypedSubjectAltNames'] as { matcher: { exact: string } }[] | undefined
    if (names === undefined || names.length === 0) throw new Error(`${secret} lets everybody in`)
    return names.map(({ matcher }) => matcher.exact).join(' or ')
  }

  #endpoints(cluster: string): string {
    const assignment = this.#resources.get(TYPE.endpoint)?.get(cluster)
    if (assignment === undefined) return ''
    const [group] = (assignment['endpoints'] ?? []) as { lbEndpoints?: LbEndpoint[] }[]
    const places = (group?.lbEndpoints ?? []).map(({ endpoint, metadata }) => {
      const { address, portValue } = endpoint.address.socketAddress
      return `${address}:${portValue}${metadata === undefined ? '' : ' in plaintext'}`
    })
    return `[${places.join(', ')}]`
  }

  #json(type: string, name: string): JsonObject {
    const json = this.#resources.get(type)?.get(name)
    if (json === undefined) throw new Error(`there is no ${name} of ${type}`)
    return json
  }
}

interface LbEndpoint {
  readonly endpoint: { readonly address: { readonly socketAddress: { address: string; portValue: number } } }
  readonly metadata?: object
}

interface Range {
  readonly ranges: readonly { readonly addressPrefix: string }[]
  readonly onMatch: JsonValue
}

/** The chain that a listener's matcher chooses; of two for what was recognised, that for bytes. */
function chainFor(listener: JsonObject, { address, port }: Place): string | undefined {
  const tree = (listener['filterChainMatcher'] as JsonObject)['matcherTree'] as JsonObject
  const entry = ((tree['exactMatchMap'] as JsonObject)['map'] as JsonObject)[port] as JsonObject | undefined
  if (entry === undefined) return undefined
  if (entry['action'] !== undefined) return lastChain(entry)
  const text = entry as unknown as {
    matcher: { matcherTree: { customMatch: { typedConfig: { rangeMatchers: Range[] } } } }
  }
  const matching = text.matcher.matcherTree.customMatch.typedConfig.rangeMatchers.filter(({ ranges }) =>
    ranges.some(({ addressPrefix }) => addressPrefix === address)
  )
  if (matching.length > 1) throw new Error(`${address} port ${port} leads to several chains`)
  return matching[0] === undefined ? undefined : lastChain(matching[0].onMatch)
}

const lastChain = (onMatch: JsonValue): string | undefined =>
  [...JSON.stringify(onMatch).matchAll(/"value":"([^"]+)"/g)].at(-1)?.[1]
