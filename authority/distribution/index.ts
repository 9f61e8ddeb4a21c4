// What the authority tells agents: the mesh state that concerns their node, as one delta stream each.
//
// In: calls whose peer is known ("agent:<node>"), and for each node a source of snapshots. Out: their streams, served;
// word to an observer of who is connected and what was sent, accepted and refused; word of tokens that no key fits.
// Never: decides what concerns a node; serves anybody who is not an agent; speaks state of the world.
// Source: Envoy, "xDS REST and gRPC protocol", with the resource types of countersign/mesh/v1/mesh.proto.

export { addDistributionService } from './distribution-service.ts'
export { addEndUserKeysService } from './end-user-keys-service.ts'
