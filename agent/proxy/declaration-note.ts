import { create } from '@bufbuild/protobuf'
import type { PortTraffic } from '../../shared/port-traffic/index.ts'
import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { MetadataSchema } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import {
  type FilterChain,
  FilterChainSchema
} from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import { PORTS } from './names.ts'
import { blackHole } from './redirect-outbound.ts'
import type { WorkloadPort } from './workload-ports.ts'

/**
 * The black hole of an inbound listener, which also says what each port was taken for and why, for whoever reads
 * `/config_dump`: metadata `countersign.dev/ports`, by port number. It stands there because no connection ever lives
 * on this chain: on the chain of the port a new reason would close what is open, on the listener it would close all.
 */
export function declarationNote(ports: readonly WorkloadPort[]): FilterChain {
  const notes = ports.map(({ number, protocol, reason, traffic }) => [
    number,
    `${nameOf(protocol)}: ${reason}${restriction(protocol, traffic)}`
  ])
  return create(FilterChainSchema, {
    ...blackHole(PORTS.inbound),
    metadata: create(MetadataSchema, { filterMetadata: { 'countersign.dev/ports': Object.fromEntries(notes) } })
  })
}

/** What policies on end users change; ports that are declared HTTP carry that in any case. */
function restriction(protocol: Protocol, traffic: PortTraffic): string {
  if (traffic === 'none') return '; closed: policies on end users require a token, which only HTTP can carry'
  const declared = protocol === Protocol.HTTP || protocol === Protocol.HTTP2
  return traffic === 'http' && !declared ? '; policies on end users hold: HTTP only' : ''
}

// proto3 enums are open.
const nameOf = (protocol: Protocol): string => Protocol[protocol] ?? String(protocol)
