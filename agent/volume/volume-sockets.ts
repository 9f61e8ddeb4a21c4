import { lstatSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { AGENT_SOCKET } from '../../shared/bootstrap/index.ts'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { listenUnix, type UnixListener } from '../../shared/rpc/index.ts'
import type { Volume } from './volume.ts'

// The proxy is user 1337 of its pod, the agent another user: what protects the socket is the folder it lies in, which
// only that pod's volume leads to.
const SOCKET_MODE = 0o666

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000

/** What is behind the sockets. */
interface SocketHandler {
  /** Somebody connected to the socket of a pod; `peer` is `pod:<uid>`. */
  accept(connection: Socket, peer: string): void
  /** The pod's volume is gone: its connections end now. */
  disconnect(peer: string): void
}

export interface VolumeSocketsOptions {
  readonly volumes: { current(): ReadonlyMap<string, Volume>; subscribe(listener: () => void): () => void }
  readonly handler: SocketHandler
  readonly clock: Clock
  readonly log: Logger
}

interface Served {
  readonly volume: Volume
  readonly listener: UnixListener
}

/**
 * A socket in every volume's folder, and none where the volume is gone. What cannot be listened
 * on is logged and tried again, with growing pauses, for as long as its volume exists.
 */
export class VolumeSockets {
  readonly #options: VolumeSocketsOptions
  readonly #log: Logger
  readonly #served = new Map<string, Served>()
  /** Reasons logged, by pod: each once, until it changes or the socket is there. */
  readonly #failing = new Map<string, string>()
  #unsubscribe = (): void => {}
  #cancelRetry = (): void => {}
  #retryMs = FIRST_RETRY_MS
  #work: Promise<void> = Promise.resolve()
  #scheduled = false
  #closed = false

  constructor(options: VolumeSocketsOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'volume' })
  }

  /**
   * Resolves when every volume known by then has its socket, or has been tried: a volume whose folder is gone must not
   * keep the others from being served. Not to be called twice.
   */
  async start(): Promise<void> {
    this.#unsubscribe = this.#options.volumes.subscribe(() => this.#schedule())
    this.#schedule()
    await this.#work
  }

  /** Closes every socket; connections are left to the handler. */
  async close(): Promise<void> {
    this.#closed = true
    this.#unsubscribe()
    this.#cancelRetry()
    await this.#work
    await Promise.all([...this.#served.values()].map(({ listener }) => listener.close()))
    this.#served.clear()
  }

  // One pass at a time, and at most one waiting: a pass looks at all volumes as they are when it starts.
  #schedule(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    this.#work = this.#work.then(() => {
      this.#scheduled = false
      return this.#pass()
    })
  }

  async #pass(): Promise<void> {
    if (this.#closed) return
    this.#cancelRetry()
    const wanted = this.#options.volumes.current()
    await Promise.all(
      [...this.#served].filter(([uid, served]) => isStale(served, wanted.get(uid))).map(([uid]) => this.#drop(uid))
    )
    for (const uid of [...this.#failing.keys()]) if (!wanted.has(uid)) this.#failing.delete(uid)
    await Promise.all(
      [...wanted].filter(([uid]) => !this.#served.has(uid)).map(([uid, volume]) => this.#serve(uid, volume))
    )
    this.#retryLater()
  }

  async #serve(uid: string, volume: Volume): Promise<void> {
    try {
      const listener = await listenUnix(join(volume.targetPath, AGENT_SOCKET), {
        mode: SOCKET_MODE,
        onConnection: connection => this.#options.handler.accept(connection, peerOf(uid))
      })
      this.#served.set(uid, { volume, listener })
      this.#failing.delete(uid)
      this.#log.info({ volume: volume.id, pod: volume.pod }, 'volume is served')
    } catch (thrown) {
      const err = CountersignError.from(thrown, 'ERR_ADDRESS_UNUSABLE', `volume ${volume.id} cannot be served`)
      // Whatever else has failed for long: this one may be about to get its folder.
      if (!this.#failing.has(uid)) this.#retryMs = FIRST_RETRY_MS
      if (this.#failing.get(uid) !== err.message)
        this.#log.error({ err, volume: volume.id, pod: volume.pod }, 'volume is not served; it is tried again')
      this.#failing.set(uid, err.message)
    }
  }

  async #drop(uid: string): Promise<void> {
    const served = this.#served.get(uid)
    this.#served.delete(uid)
    await served?.listener.close()
    this.#options.handler.disconnect(peerOf(uid))
    this.#log.info({ volume: served?.volume.id, pod: served?.volume.pod }, 'volume is no longer served')
  }

  #retryLater(): void {
    // Closed while this pass was under way.
    if (this.#closed) return
    if (this.#failing.size === 0) {
      this.#retryMs = FIRST_RETRY_MS
      return
    }
    this.#cancelRetry = this.#options.clock.after(this.#retryMs, () => this.#schedule())
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
  }
}

/** A volume that was unpublished and published again has a new, empty folder under the old path. */
function isStale(served: Served, wanted: Volume | undefined): boolean {
  if (wanted === undefined || wanted.targetPath !== served.volume.targetPath) return true
  try {
    return !lstatSync(join(wanted.targetPath, AGENT_SOCKET)).isSocket()
  } catch {
    return true
  }
}

function peerOf(podUid: string): string {
  return `pod:${podUid}`
}
