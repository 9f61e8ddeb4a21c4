import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { AggregatedDiscoveryService } from '../../shared/proto/gen/envoy/service/discovery/v3/ads_pb.js'
import type {
  DiscoveryRequest,
  DiscoveryResponse
} from '../../shared/proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { SecretDiscoveryService } from '../../shared/proto/gen/envoy/service/secret/v3/sds_pb.js'
import { InjectedServer, serviceDefinition, statusOf } from '../../shared/rpc/index.ts'
import {
  DEFAULT_LIMITS,
  DeltaServer,
  type DiscoveryLimits,
  type DiscoveryObserver,
  type DiscoveryServer,
  type DiscoveryServerOptions,
  ENVOY_PUSH_ORDER,
  fetchOnce,
  PeerStreams,
  type SnapshotSource,
  StateOfTheWorldServer,
  singlePushOrder,
  TYPE
} from '../../shared/xds/index.ts'

export interface DiscoveryServicesOptions {
  /** What a peer is told; undefined when nobody (any more) is behind that name. */
  readonly source: (peer: string) => SnapshotSource | undefined
  readonly observer: DiscoveryObserver
  readonly clock: Clock
  readonly log: Logger
  /** Of one stream. */
  readonly limits?: DiscoveryLimits
  /** Of one peer; 64 unless given. An Envoy with secrets outside ADS opens a stream for each. */
  readonly maxStreams?: number
}

type MakeServer<Request, Response> = (options: DiscoveryServerOptions) => DiscoveryServer<Request, Response>

const AGGREGATED = { order: ENVOY_PUSH_ORDER, singleType: false }
const SECRETS = { order: singlePushOrder(TYPE.secret), singleType: true }

const DEFAULT_MAX_STREAMS = 64

/**
 * Adds AggregatedDiscoveryService (delta and state of the world) and SecretDiscoveryService (both, and fetch) to the
 * server of the pods' sockets. Secrets are served by whatever names the source has, aliases among them: an Envoy that
 * was set up for another issuer of SPIFFE identities needs no other names.
 */
export function addDiscoveryServices(server: InjectedServer, options: DiscoveryServicesOptions): void {
  const log = options.log.child({ room: 'discovery' })
  const streams = new PeerStreams({ ...options, log, maxStreams: options.maxStreams ?? DEFAULT_MAX_STREAMS })
  const { limits = DEFAULT_LIMITS } = options

  const stream =
    <Request, Response extends { readonly typeUrl: string }>(
      method: string,
      scope: typeof AGGREGATED,
      make: MakeServer<Request, Response>
    ) =>
    (call: ServerDuplexStream<Request, Response>): void => {
      const peer = InjectedServer.peerOf(call)
      const fail = (error: CountersignError): boolean => call.emit('error', statusOf(error))
      streams.serve({ peer, method, call, fail, server: make({ ...scope, limits, events: streams.eventsOf(peer) }) })
    }

  const fetchSecrets = (peer: string, request: DiscoveryRequest): DiscoveryResponse => {
    const snapshot = streams.sourceOf(peer).current()
    const response = fetchOnce(request, snapshot, { ...SECRETS, limits, events: streams.eventsOf(peer) })
    if (response === undefined) throw new CountersignError('ERR_DISCOVERY_UNAVAILABLE', 'secrets are not there yet')
    return response
  }

  server.addService(serviceDefinition(AggregatedDiscoveryService), {
    DeltaAggregatedResources: stream('DeltaAggregatedResources', AGGREGATED, scope => new DeltaServer(scope)),
    StreamAggregatedResources: stream(
      'StreamAggregatedResources',
      AGGREGATED,
      scope => new StateOfTheWorldServer(scope)
    )
  })
  server.addService(serviceDefinition(SecretDiscoveryService), {
    DeltaSecrets: stream('DeltaSecrets', SECRETS, scope => new DeltaServer(scope)),
    StreamSecrets: stream('StreamSecrets', SECRETS, scope => new StateOfTheWorldServer(scope)),
    FetchSecrets(call: ServerUnaryCall<DiscoveryRequest, DiscoveryResponse>, done: sendUnaryData<DiscoveryResponse>) {
      const peer = InjectedServer.peerOf(call)
      try {
        done(null, fetchSecrets(peer, call.request))
      } catch (thrown) {
        const error = CountersignError.from(thrown)
        streams.complain(peer, 'FetchSecrets', error)
        done(statusOf(error))
      }
    }
  })
}
