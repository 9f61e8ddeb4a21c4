import { randomBytes } from 'node:crypto'
import { closeSync, fchmodSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

const TEMPORARY = /^\..+\.[0-9a-f]{12}\.tmp$/

/**
 * Replaces a file as a whole: a reader, or whoever comes after a crash, finds the old content or the new one.
 *
 * @param mode permissions of the file, 0600 unless given; the umask takes nothing away from them
 * @throws the error of `node:fs` when the folder cannot be written
 */
export function writeFileAtomically(path: string, data: string | Uint8Array, mode = 0o600): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  // Created exclusively and changed by descriptor only: some of the folders are also a pod's, which could plant a link.
  const descriptor = openSync(temporary, 'wx', 0o600)
  try {
    try {
      writeFileSync(descriptor, data)
      fchmodSync(descriptor, mode)
    } finally {
      closeSync(descriptor)
    }
    // No fsync: what lies on tmpfs does not outlive a power cut anyway, and a truncated file is noticed when read.
    renameSync(temporary, path)
  } catch (thrown) {
    rmSync(temporary, { force: true })
    throw thrown
  }
}

/** Whether a file name is that of a write which a crash interrupted. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name)
}

/** Removes what a crash left of writes in a folder: it may be a key or a token, and nothing will ever finish it. */
export function removeTemporaryFiles(folder: string): void {
  for (const name of readdirSync(folder)) if (isTemporary(name)) rmSync(join(folder, name), { force: true })
}
