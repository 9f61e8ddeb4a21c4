import { closeSync, fstatSync, openSync, readFileSync, renameSync } from 'node:fs'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'

/**
 * Reads a private file back through `parse`. What cannot be used is renamed to `<path>.corrupt`, where it can be
 * looked at and never gets in the way again, logged as ERR_STATE_CORRUPT, and treated as absent.
 *
 * @param parse throws on anything that it does not accept; its message must not show the content
 */
export function readOrSetAside<T>(path: string, log: Logger, parse: (content: Buffer) => T): T | undefined {
  try {
    const content = readPrivate(path)
    return content === undefined ? undefined : parse(content)
  } catch (thrown) {
    const err = new CountersignError('ERR_STATE_CORRUPT', `${path} cannot be read back`, { cause: thrown })
    log.error({ err, path, setAside: setAside(path) }, 'persisted state is not usable')
    return undefined
  }
}

function readPrivate(path: string): Buffer | undefined {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  }
  try {
    const { mode } = fstatSync(descriptor)
    // A key that others could read, or put there, is not one to go on with.
    if ((mode & 0o077) !== 0) throw new Error(`expected mode 0600, got ${(mode & 0o777).toString(8).padStart(4, '0')}`)
    return readFileSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function setAside(path: string): boolean {
  try {
    // One name for all time: a file that is corrupt again and again must not fill the node's memory.
    renameSync(path, `${path}.corrupt`)
    return true
  } catch {
    return false
  }
}
