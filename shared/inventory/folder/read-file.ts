import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { FileEntry } from './list-folder.ts'

/** The most that one file may hold, in bytes: some four times of what a ConfigMap can, and a second of parsing. */
export const LARGEST_FILE_BYTES = 4 * 1024 * 1024

/** What was found in a file. `gone`: it was removed after its folder had been listed. */
export type Content =
  | { readonly state: 'text'; readonly text: string; readonly digest: string }
  | { readonly state: 'unreadable'; readonly reason: string }
  | { readonly state: 'gone' }

/** Never throws. */
export async function readManifest({ path, size }: FileEntry): Promise<Content> {
  if (size > LARGEST_FILE_BYTES) return tooLarge(size)
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown)
    return code === 'ENOENT' ? { state: 'gone' } : { state: 'unreadable', reason: code }
  }
  if (bytes.length > LARGEST_FILE_BYTES) return tooLarge(bytes.length)
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { state: 'text', text, digest: createHash('sha256').update(bytes).digest('hex') }
  } catch {
    return { state: 'unreadable', reason: 'it is not UTF-8' }
  }
}

function tooLarge(size: number): Content {
  return { state: 'unreadable', reason: `it has ${size} bytes, more than the ${LARGEST_FILE_BYTES} that are allowed` }
}
