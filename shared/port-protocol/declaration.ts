import type { ServicePort } from '../inventory/index.ts'
import { Protocol } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'

const BY_NAME: Readonly<Record<string, Protocol>> = {
  http: Protocol.HTTP,
  http2: Protocol.HTTP2,
  grpc: Protocol.HTTP2,
  https: Protocol.TLS,
  tls: Protocol.TLS,
  tcp: Protocol.TCP,
  mongo: Protocol.TCP,
  mysql: Protocol.TCP,
  redis: Protocol.TCP
}

// Kubernetes, "Service", section "Application protocol", and the same names without the prefix.
const BY_APP_PROTOCOL: Readonly<Record<string, Protocol>> = {
  ...BY_NAME,
  h2c: Protocol.HTTP2,
  ws: Protocol.HTTP,
  wss: Protocol.TLS,
  'kubernetes.io/h2c': Protocol.HTTP2,
  'kubernetes.io/ws': Protocol.HTTP,
  'kubernetes.io/wss': Protocol.TLS
}

const GRPC_WEB = 'grpc-web'

/** What is said to be spoken on a port. */
export interface Declaration {
  readonly protocol: Protocol
  /** In which field, with its value, for people: `appProtocol "grpc"`. */
  readonly field: string
}

/**
 * What the port of a Service says that is spoken on it: `appProtocol` alone where it is set, else the name up to its
 * first dash. An `appProtocol` that is not known says that it is something else: UNSPECIFIED, not even that it is no
 * TLS. Undefined: nothing is said.
 *
 * Source: Istio, "Protocol Selection".
 */
export function declarationOf({
  name,
  appProtocol
}: Pick<ServicePort, 'name' | 'appProtocol'>): Declaration | undefined {
  if (appProtocol !== undefined) {
    const protocol = lookUp(BY_APP_PROTOCOL, appProtocol.toLowerCase()) ?? Protocol.UNSPECIFIED
    return { protocol, field: `appProtocol "${appProtocol}"` }
  }
  const protocol = protocolOfName(name)
  return protocol === undefined ? undefined : { protocol, field: `port name "${name}"` }
}

/** What the name of a port says, of a container's as of a Service's. Undefined: nothing. */
export function protocolOfName(name: string): Protocol | undefined {
  return lookUp(BY_NAME, name.toLowerCase())
}

function lookUp(table: Readonly<Record<string, Protocol>>, name: string): Protocol | undefined {
  // gRPC-Web runs over HTTP/1.1 as well: it does not say that HTTP/2 can be taken for granted, as gRPC does.
  if (name.startsWith(GRPC_WEB)) return Protocol.HTTP
  const prefix = name.split('-', 1)[0] ?? ''
  return Object.hasOwn(table, prefix) ? table[prefix] : undefined
}
