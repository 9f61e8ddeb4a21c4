import { grpc } from './grpc.ts'
import { http } from './http.ts'
import { http2 } from './http2.ts'
import type { Kind, KindName } from './kind.ts'
import { tcp, tcpGreeting } from './tcp.ts'
import { websocket } from './websocket.ts'

/** Every protocol that the application speaks. */
export const KINDS: Readonly<Record<KindName, Kind>> = {
  http,
  http2,
  grpc,
  'http-websocket': websocket,
  tcp,
  'tcp-greeting': tcpGreeting
}

export const KIND_NAMES = Object.keys(KINDS) as readonly KindName[]
