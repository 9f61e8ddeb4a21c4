import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  unlinkSync
} from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { writeFileAtomically } from '../../shared/files/index.ts'

// Anybody may look into it: the proxy is user 1337 of its pod. The folders above it keep the other users of the node
// out, and only the agent puts anything in it.
const MODE = 0o755

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

// The agent may put its socket back while its folder is being removed: it hears of the missing record at once.
const ATTEMPTS = 3

/**
 * Makes the target folder of a volume; one that is there stays as it is. The folder above it is the kubelet's to make.
 *
 * @param path a target path, checked by `parseTargetPath`
 * @throws Error when something else is in its place, or a link is on the way
 */
export function makeVolumeFolder(podsFolder: string, path: string): void {
  const parent = openParent(podsFolder, path)
  if (parent === undefined) throw new Error(`there is no ${dirname(path)}`)
  try {
    const target = within(parent, basename(path))
    const found = lstatSync(target, { throwIfNoEntry: false })
    if (found !== undefined && !found.isDirectory())
      throw new Error(`something that is not a folder is in the way at ${path}`)
    if (found !== undefined) return
    mkdirSync(target)
    chmodSync(target, MODE)
  } finally {
    closeSync(parent)
  }
}

/**
 * Puts a file into the target folder of a volume, in place of the one that is there.
 *
 * @param path a target path, checked by `parseTargetPath`
 * @param mode permissions of the file
 * @throws Error when there is no such folder, or a link is on the way
 */
export function writeIntoVolumeFolder(
  podsFolder: string,
  path: string,
  { name, content, mode }: { readonly name: string; readonly content: string; readonly mode: number }
): void {
  const parent = openParent(podsFolder, path)
  if (parent === undefined) throw new Error(`there is no ${dirname(path)}`)
  try {
    const folder = openSync(within(parent, basename(path)), FOLDER)
    try {
      writeFileAtomically(within(folder, name), content, mode)
    } finally {
      closeSync(folder)
    }
  } finally {
    closeSync(parent)
  }
}

/**
 * Removes the target folder of a volume with everything in it; one that is not there is removed already. Links are
 * removed, not followed. What is mounted on it or below it is left alone, with everything that it holds.
 *
 * @param path a target path, checked by `parseTargetPath`
 * @throws Error when a link is on the way, or something is mounted there
 */
export function removeVolumeFolder(podsFolder: string, path: string): void {
  const parent = openParent(podsFolder, path)
  if (parent === undefined) return
  try {
    for (let attempt = 1; ; attempt++)
      try {
        removeTree(parent, basename(path), fstatSync(parent).dev)
        return
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || attempt === ATTEMPTS) throw thrown
      }
  } finally {
    closeSync(parent)
  }
}

/**
 * Whether there is anything at a target path; false as well where the folders above it are missing.
 *
 * @throws the error of `node:fs` when it cannot be told
 */
export function volumeFolderExists(path: string): boolean {
  try {
    lstatSync(path)
    return true
  } catch (thrown) {
    if (isMissing(thrown)) return false
    throw thrown
  }
}

// A descriptor of the folder above the target, undefined where there is none: from there on no name is looked up again.
function openParent(podsFolder: string, path: string): number | undefined {
  const parent = dirname(path)
  try {
    const expected = join(realpathSync(podsFolder), relative(podsFolder, parent))
    if (realpathSync(parent) !== expected) throw new Error(`expected no symbolic link on the way to ${path}`)
    return openSync(expected, FOLDER)
  } catch (thrown) {
    if (isMissing(thrown)) return undefined
    throw thrown
  }
}

// A file in place of a folder above it: nothing can be there either.
function isMissing(thrown: unknown): boolean {
  const { code } = thrown as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function removeTree(parent: number, name: string, device: number): void {
  const path = within(parent, name)
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (found.dev !== device) throw new Error(`something is mounted on ${name}, expected a plain folder`)
  if (!found.isDirectory()) {
    unlinkSync(path)
    return
  }
  const folder = openSync(path, FOLDER)
  try {
    for (const entry of readdirSync(within(folder))) removeTree(folder, entry, device)
  } finally {
    closeSync(folder)
  }
  rmdirSync(path)
}

function within(descriptor: number, name = ''): string {
  return join(`/proc/self/fd/${descriptor}`, name)
}
