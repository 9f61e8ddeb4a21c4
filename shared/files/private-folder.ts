import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { CountersignError } from '../errors/index.ts'

/**
 * Makes a folder, with those above it, that nobody else can enter. One that is there already has to be like that,
 * unless it is empty: the kubelet makes the folder of a hostPath with mode 0755, and whoever comes first closes it.
 *
 * @throws CountersignError ERR_STATE_FOLDER_UNSAFE when it is open to other users, belongs to another one or cannot be
 *   made; the message says how to mend it
 */
export function ensurePrivateFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if (readdirSync(path).length === 0) chmodSync(path, 0o700)
  } catch (thrown) {
    throw unsafe(path, 'cannot be made: choose another with --state', thrown)
  }
  // Looked at last: two processes may be about to close the same folder.
  const found = statSync(path)
  const user = process.getuid?.()
  if (found.uid !== user)
    throw unsafe(path, `belongs to user ${found.uid}, expected ${user}: mend it with \`chown ${user} ${path}\``)
  const mode = found.mode & 0o777
  if ((mode & 0o077) !== 0)
    throw unsafe(
      path,
      `has mode ${mode.toString(8).padStart(4, '0')}, expected 0700: mend it with \`chmod 0700 ${path}\``
    )
}

function unsafe(path: string, why: string, cause?: unknown): CountersignError {
  return new CountersignError('ERR_STATE_FOLDER_UNSAFE', `state folder ${path} ${why}`, { facts: { path }, cause })
}
