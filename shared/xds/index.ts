// The xDS protocol as state machines: what a server answers, what a client keeps.
//
// In: requests and a snapshot (server), responses (client), a clock and randomness. Out: responses, requests, events.
// Never: touches gRPC or a socket; never looks into a resource, except by a decoder that it is given.
// Source: Envoy, "xDS REST and gRPC protocol" (api-docs/xds_protocol), delta and state of the world.

export { Backoff } from './backoff.ts'
export { DeltaServer } from './delta-server.ts'
export { DiscoveryClient, type DiscoveryClientOptions } from './discovery-client.ts'
export { DEFAULT_LIMITS, type DiscoveryLimits } from './limits.ts'
export type { DiscoveryObserver } from './observer.ts'
export { packResources, unpackResources } from './packed-resources.ts'
export { PeerStreams } from './peer-streams.ts'
export { ENVOY_PUSH_ORDER, type PushOrder, singlePushOrder } from './push-order.ts'
export { QuietLog } from './quiet-log.ts'
export {
  createResource,
  type Resource,
  type ResourceMap,
  resourceMap,
  type Snapshot,
  type SnapshotSource,
  typeUrlOf
} from './resource.ts'
export { type ResourceType, resourceType } from './resource-type.ts'
export { type StreamCall, serveStream } from './serve-stream.ts'
export type { DiscoveryServer, DiscoveryServerOptions } from './server.ts'
export { fetchOnce, StateOfTheWorldServer } from './state-of-the-world-server.ts'
export type { ClientStream, ClientStreamHandlers, StreamTransport } from './transport.ts'
export { TYPE, WILDCARD } from './type-url.ts'
export { TypedStructSchema, typedStruct } from './typed-struct.ts'
