import { lstatSync } from 'node:fs'
import type { Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { FolderWatch } from '../../shared/files/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { listenUnix, type UnixListener } from '../../shared/rpc/index.ts'

export interface KeptSocketOptions {
  readonly path: string
  /** What serves the connections. */
  readonly server: { accept(connection: Socket, peer: string): void }
  /** The name of whoever connects here. */
  readonly peer: string
  readonly maxConnections: number
  readonly clock: Clock
  readonly log: Logger
  /** Called when the socket's file was found to be gone, before it is there again. */
  readonly onLost?: () => void
}

// Only root of this node may connect: the kubelet and the agent are.
const MODE = 0o600

// A successor removes the file before it makes its own: that moment is not to be taken for a loss.
const GRACE_MS = 250

/**
 * A Unix socket that stays: when its file is removed, it is listened on anew. The kubelet may clear its folders while
 * it starts, and a predecessor of this process that is still ending removes the file by its name.
 *
 * A file that somebody else put in its place is left alone: it is the socket of a successor.
 */
export class KeptSocket {
  readonly #options: KeptSocketOptions
  readonly #watch: FolderWatch
  #listener: UnixListener | undefined
  #inode: bigint | undefined
  #work: Promise<void> = Promise.resolve()
  /** The file was found to be gone, and is on its way back. */
  #repairing = false
  #cancelGrace = (): void => {}
  #replaced = false
  #closed = false

  constructor(options: KeptSocketOptions) {
    this.#options = options
    const { path, clock, log } = options
    this.#watch = new FolderWatch({ folder: dirname(path), clock, log, look: () => this.#look() })
  }

  /** @throws CountersignError ERR_ADDRESS_UNUSABLE */
  async start(): Promise<void> {
    await this.#listen()
    this.#watch.start()
  }

  /** Stops listening and removes the file; connections belong to the server. */
  async close(): Promise<void> {
    this.#closed = true
    this.#watch.close()
    this.#cancelGrace()
    await this.#work
    await this.#listener?.close()
  }

  #look(): void {
    if (this.#closed || this.#repairing) return
    const found = this.#find()
    if (found === 'gone') {
      this.#repairing = true
      this.#cancelGrace = this.#options.clock.after(GRACE_MS, () => {
        this.#work = this.#repair().finally(() => {
          this.#repairing = false
        })
      })
    } else if (found === 'another' && !this.#replaced) {
      this.#replaced = true
      this.#options.log.warn({ socket: this.#options.path }, 'another process has taken over the socket')
    }
  }

  #find(): 'ours' | 'another' | 'gone' {
    try {
      const inode = inodeOf(this.#options.path)
      return inode === undefined ? 'gone' : inode === this.#inode ? 'ours' : 'another'
    } catch {
      // A folder that cannot be looked at tells nothing; the next look may.
      return 'ours'
    }
  }

  async #repair(): Promise<void> {
    const { path, log, onLost } = this.#options
    if (this.#find() !== 'gone') return
    onLost?.()
    try {
      // First, because closing removes the file by its name.
      await this.#listener?.close()
      if (this.#closed) return
      await this.#listen()
      log.info({ socket: path }, 'the file of a socket was gone, it is there again')
    } catch (thrown) {
      const err = CountersignError.from(thrown, 'ERR_ADDRESS_UNUSABLE', `socket ${path}`)
      log.error({ err }, 'the file of a socket is gone; it is tried again')
    }
  }

  async #listen(): Promise<void> {
    const { path, server, peer, maxConnections } = this.#options
    this.#listener = await listenUnix(path, {
      mode: MODE,
      maxConnections,
      onConnection: connection => server.accept(connection, peer)
    })
    this.#inode = inodeOf(path)
    this.#replaced = false
  }
}

function inodeOf(path: string): bigint | undefined {
  try {
    return lstatSync(path, { bigint: true }).ino
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw thrown
  }
}
