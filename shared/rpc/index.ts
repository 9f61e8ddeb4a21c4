// gRPC: what grpc-js needs and does not have.
//
// In: generated service descriptors, connected sockets with a known peer, keys and certificates, errors. Out: service
// definitions, a server whose calls know their peer, listeners on Unix and TLS sockets, clients that verify SPIFFE IDs,
// the status that a peer is told.
// Never: decides who a peer is, or whether a certificate is good; never tells a peer the message of an error.

export { bidiTransport } from './bidi-transport.ts'
export { connectTls } from './connect-tls.ts'
export { InjectedServer } from './injected-server.ts'
export { listenTls, type ServingCredentials, type TlsListener } from './listen-tls.ts'
export { listenUnix, type UnixListener } from './listen-unix.ts'
export { AUTHORITY_SERVER_OPTIONS, CHANNEL_OPTIONS, UNIX_SERVER_OPTIONS } from './options.ts'
export { methodDefinition, serviceDefinition } from './service.ts'
export { statusOf } from './status.ts'
export { unaryCall } from './unary-call.ts'
