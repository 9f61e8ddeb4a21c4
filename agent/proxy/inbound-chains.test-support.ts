// The filter chains of a workload's inbound listeners, as JSON.

import type { Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { explicitInboundListeners } from './explicit-inbound.ts'
import { redirectInboundListener } from './redirect-inbound.ts'
import type { MinimumTls } from './tls.ts'

export interface Chain {
  readonly name: string
  readonly metadata?: object
  readonly filterChainMatch?: Record<string, unknown>
  readonly transportSocket?: { readonly typedConfig: Record<string, unknown> }
  readonly filters?: readonly { readonly typedConfig: Record<string, unknown> }[]
}

/** The chains of a workload's listeners, by name. */
export function chainsOf(
  workload: Workload,
  kind: 'redirect' | 'explicit',
  minimumTls: MinimumTls = '1.3'
): Map<string, Chain> {
  const listeners =
    kind === 'redirect'
      ? [redirectInboundListener(workload, minimumTls)]
      : explicitInboundListeners(workload, minimumTls)
  const chains = listeners.flatMap(listener => resourceJson(listener)['filterChains'] as unknown as Chain[])
  return new Map(chains.map(chain => [chain.name, chain]))
}

/** The names of one port's chains, without the port. */
export const namesOf = (chains: ReadonlyMap<string, Chain>, port: string): string[] =>
  [...chains.keys()].filter(name => name.startsWith(`${port}/`)).map(name => name.slice(port.length + 1))
