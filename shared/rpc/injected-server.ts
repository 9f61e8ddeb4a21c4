import type { Socket } from 'node:net'
import * as grpc from '@grpc/grpc-js'

type Injector = ReturnType<grpc.Server['createConnectionInjector']>

/** Whoever handles a call asks with whom it is; every call of grpc-js has this. */
interface Call {
  getPeer(): string
}

/**
 * A gRPC server that opens no port of its own: connections are accepted elsewhere, where it is known who is at the
 * other end, and handed over together with that peer's name. Every call on such a connection carries the name.
 *
 * Peers are our own strings ("pod:<uid>", "agent:<node>"); connections of one peer can be closed together.
 */
export class InjectedServer {
  readonly #server: grpc.Server
  readonly #injectors = new Map<string, Injector>()

  constructor(options: grpc.ServerOptions = {}) {
    // Channelz keeps a record of every connection that ever was; nobody reads it here.
    this.#server = new grpc.Server({ 'grpc.enable_channelz': 0, ...options })
  }

  addService(definition: grpc.ServiceDefinition, implementation: grpc.UntypedServiceImplementation): void {
    this.#server.addService(definition, implementation)
  }

  /** Serves a connected socket (for TLS: after the handshake) as that of `peer`. */
  accept(socket: Socket, peer: string): void {
    // grpc-js builds what getPeer() returns from these two; for a Unix socket both are undefined.
    Object.defineProperty(socket, 'remoteAddress', { value: peer, configurable: true })
    Object.defineProperty(socket, 'remotePort', { value: undefined, configurable: true })
    let injector = this.#injectors.get(peer)
    if (injector === undefined) {
      injector = this.#server.createConnectionInjector(grpc.ServerCredentials.createInsecure())
      this.#injectors.set(peer, injector)
    }
    injector.injectConnection(socket)
  }

  /** The name under which the connection of this call was accepted. */
  static peerOf(call: Call): string {
    return call.getPeer()
  }

  /** Closes every connection of a peer; calls in flight end with CANCELLED. */
  disconnect(peer: string): void {
    this.#injectors.get(peer)?.destroy()
    this.#injectors.delete(peer)
  }

  /** Ends every connection at once: streams here never end by themselves, and all clients reconnect. */
  close(): void {
    for (const peer of [...this.#injectors.keys()]) this.disconnect(peer)
    this.#server.forceShutdown()
  }
}
