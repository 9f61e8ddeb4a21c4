import type { Socket } from 'node:net'
import * as grpc from '@grpc/grpc-js'

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
  readonly #injector: ReturnType<grpc.Server['createConnectionInjector']>
  readonly #connections = new Map<string, Set<Socket>>()
  #closed = false

  constructor(options: grpc.ServerOptions = {}) {
    // Channelz keeps a record of every connection that ever was; nobody reads it here.
    this.#server = new grpc.Server({ 'grpc.enable_channelz': 0, ...options })
    this.#injector = this.#server.createConnectionInjector(grpc.ServerCredentials.createInsecure())
  }

  addService(definition: grpc.ServiceDefinition, implementation: grpc.UntypedServiceImplementation): void {
    this.#server.addService(definition, implementation)
  }

  /** Serves a connected socket (for TLS: after the handshake) as that of `peer`. */
  accept(socket: Socket, peer: string): void {
    if (this.#closed || socket.destroyed) {
      socket.destroy()
      return
    }
    // grpc-js builds what getPeer() returns from these two; for a Unix socket both are undefined.
    Object.defineProperty(socket, 'remoteAddress', { value: peer, configurable: true })
    Object.defineProperty(socket, 'remotePort', { value: undefined, configurable: true })
    this.#remember(socket, peer)
    this.#injector.injectConnection(socket)
  }

  /**
   * The name under which the connection of this call was accepted. To be asked when the call starts: once the
   * connection is gone, so is the name ("unknown").
   */
  static peerOf(call: Call): string {
    return call.getPeer()
  }

  /** Ends every connection of a peer at once; their calls are cancelled here and UNAVAILABLE over there. */
  disconnect(peer: string): void {
    // Not through grpc-js, whose injectors wait for open streams: those of discovery never end by themselves.
    for (const socket of this.#connections.get(peer) ?? []) socket.destroy()
  }

  /** Peers that have a connection, each once. */
  get peers(): readonly string[] {
    return [...this.#connections.keys()]
  }

  /** Ends every connection at once, and refuses further ones: streams here never end by themselves. */
  close(): void {
    this.#closed = true
    for (const peer of this.peers) this.disconnect(peer)
    this.#server.forceShutdown()
  }

  #remember(socket: Socket, peer: string): void {
    const sockets = this.#connections.get(peer) ?? new Set()
    this.#connections.set(peer, sockets.add(socket))
    socket.once('close', () => {
      sockets.delete(socket)
      if (sockets.size === 0 && this.#connections.get(peer) === sockets) this.#connections.delete(peer)
    })
  }
}
