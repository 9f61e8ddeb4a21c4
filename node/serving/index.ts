// How the services of this program are served: sockets that stay where they are looked for, handlers that end well.
//
// In: paths, connections, functions from a request to an answer. Out: Unix sockets that come back when their file is
// removed, handlers for grpc-js with a status for every error, a count and a duration of every call.
// Never: opens a connection; logs or counts anything out of a request: one may hold the token of a pod.
// Never: answers INTERNAL: to the kubelet that is final, and it would take the volume from a running pod.

export { CallMetrics, type CallObserver } from './call-metrics.ts'
export { KeptSocket, type KeptSocketOptions } from './kept-socket.ts'
export { type HandlerContext, unaryHandler } from './unary-handler.ts'
