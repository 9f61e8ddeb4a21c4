import { constants } from 'node:fs'
import { chmod, lstat, open, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { basename, dirname } from 'node:path'
import { CountersignError } from '../errors/index.ts'

export interface UnixListenerOptions {
  /** Permissions of the socket file; connecting needs the right to write. */
  readonly mode: number
  readonly onConnection: (socket: Socket) => void
  /** Most connections open at one time; further ones are closed at once. 16 unless given. */
  readonly maxConnections?: number
}

export interface UnixListener {
  /** Stops listening and removes the socket file. Connections go on: they belong to whom they were given to. */
  close(): Promise<void>
}

const DEFAULT_MAX_CONNECTIONS = 16

// sun_path has 108 bytes, the last of which is a zero (unix(7)). Node.js cuts a longer path off without a word.
const LONGEST_PATH_BYTES = 107

/**
 * Listens on a Unix socket, whatever the length of its path: the folder is opened and the socket bound below
 * /proc/self/fd. The folder stays open, so that closing removes the file from the folder it was made in, even if there
 * is another folder under that path by then. A socket file that is left over is replaced.
 *
 * @throws CountersignError ERR_ADDRESS_UNUSABLE when there is no such folder, something other than a socket is in the
 * way, or the file's name alone is too long
 */
export async function listenUnix(path: string, options: UnixListenerOptions): Promise<UnixListener> {
  const unusable = (thrown: unknown): CountersignError =>
    CountersignError.from(thrown, 'ERR_ADDRESS_UNUSABLE', `cannot listen on the socket ${path}`)
  const folder = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY).catch(thrown => {
    throw unusable(thrown)
  })
  try {
    const socketPath = `/proc/self/fd/${folder.fd}/${basename(path)}`
    if (Buffer.byteLength(socketPath) > LONGEST_PATH_BYTES)
      throw new Error(`its name is too long: at most ${LONGEST_PATH_BYTES} bytes with /proc/self/fd/N before it`)
    await removeStale(socketPath)
    const server = createServer(options.onConnection)
    server.maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(socketPath, () => {
        server.off('error', reject)
        resolve()
      })
    })
    // Accepting can fail (no file descriptors left); the connection is lost, the listener is not.
    server.on('error', () => {})
    await chmod(socketPath, options.mode)
    let closing: Promise<void> | undefined
    return {
      close() {
        closing ??= (async () => {
          // libuv removes the file by the path that it was given, so the folder has to be open until then. The
          // callback of close() would wait for connections.
          server.close()
          await rm(socketPath, { force: true }).finally(() => folder.close())
        })()
        return closing
      }
    }
  } catch (thrown) {
    await folder.close()
    throw unusable(thrown)
  }
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(thrown => {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error('something that is not a socket is in the way')
  await rm(path)
}
