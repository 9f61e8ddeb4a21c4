// What a pod's Envoy talks to over its Unix socket: aggregated discovery and secret discovery.
//
// In: calls whose peer is known ("pod:<uid>"), and for each peer a source of snapshots. Out: their streams, served;
// word to an observer of what was accepted, refused, opened and closed.
// Never: makes a resource, knows what one means, or gives a peer anything out of another's source; never ends a stream
// because of a name.
// Source: Envoy, "xDS REST and gRPC protocol", ads.proto, sds.proto.

export { addDiscoveryServices } from './discovery-services.ts'
