import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { AggregatedDiscoveryService } from '../../shared/proto/gen/envoy/service/discovery/v3/ads_pb.js'
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse
} from '../../shared/proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { InjectedServer, serviceDefinition, statusOf } from '../../shared/rpc/index.ts'
import {
  DeltaServer,
  type DiscoveryLimits,
  type DiscoveryObserver,
  PeerStreams,
  type SnapshotSource
} from '../../shared/xds/index.ts'
import { agentNodeOf } from './agent-node.ts'
import { MESH_PUSH_ORDER } from './mesh-push-order.ts'

export interface DistributionOptions {
  /** What the agent of a node is told; undefined when there is no such node. */
  readonly snapshotFor: (node: string) => SnapshotSource | undefined
  /** Its peers are node names. */
  readonly observer: DiscoveryObserver
  readonly clock: Clock
  readonly log: Logger
}

const METHOD = 'DeltaAggregatedResources'

// Agents are ours, and one that resumes lists the whole mesh: Services and their endpoints have a name each.
const LIMITS: DiscoveryLimits = { nameBytes: 1024, names: 200_000, totalBytes: 64 * 1024 * 1024 }

// One is used. During a roll-out the old and the new agent of a node overlap; a stream whose end has not been noticed
// yet may be left of each.
const MAX_STREAMS = 4

/**
 * Adds AggregatedDiscoveryService to the authority's server, delta only; StreamAggregatedResources is UNIMPLEMENTED.
 * A caller that is not an agent is refused (ERR_CALLER_REFUSED in the log, PERMISSION_DENIED over there).
 */
export function addDistributionService(server: InjectedServer, options: DistributionOptions): void {
  const { snapshotFor, observer, clock } = options
  const log = options.log.child({ room: 'distribution' })
  const streams = new PeerStreams({ source: snapshotFor, observer, clock, log, maxStreams: MAX_STREAMS })

  server.addService(serviceDefinition(AggregatedDiscoveryService), {
    [METHOD](call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>): void {
      const peer = InjectedServer.peerOf(call)
      const fail = (error: CountersignError): boolean => call.emit('error', statusOf(error))
      const node = agentNodeOf(peer)
      if (node === undefined) {
        const error = new CountersignError('ERR_CALLER_REFUSED', `peer ${JSON.stringify(peer)} is not an agent`)
        streams.complain(peer, METHOD, error)
        fail(error)
        return
      }
      const events = streams.eventsOf(node)
      const delta = new DeltaServer({ order: MESH_PUSH_ORDER, singleType: false, limits: LIMITS, events })
      streams.serve({ peer: node, method: METHOD, call, fail, server: delta })
    }
  })
}
