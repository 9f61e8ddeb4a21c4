// gRPC: what grpc-js needs and does not have.
//
// In: generated service descriptors, connected sockets with a known peer, errors. Out: service definitions, a server
// whose calls know their peer, the status that a peer is told.
// Never: opens a port; never tells a peer the message of an error.

export { InjectedServer } from './injected-server.ts'
export { serviceDefinition } from './service.ts'
export { statusOf } from './status.ts'
