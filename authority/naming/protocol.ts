import type { ServicePort } from '../../shared/inventory/index.ts'
import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'

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

/**
 * What the port of a Service says that is spoken on it: `appProtocol` alone where it is set (one that is not known
 * means opaque bytes), else the name up to its first dash. Undefined: it says nothing.
 *
 * Source: Istio, "Protocol Selection".
 */
export function declaredProtocol({
  name,
  appProtocol
}: Pick<ServicePort, 'name' | 'appProtocol'>): Protocol | undefined {
  if (appProtocol !== undefined) return lookUp(BY_APP_PROTOCOL, appProtocol.toLowerCase()) ?? Protocol.TCP
  return protocolOfName(name)
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
