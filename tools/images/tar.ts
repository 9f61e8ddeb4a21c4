import { createReadStream, readFileSync } from 'node:fs'

const BLOCK = 512
// Every entry is from the first second of 2000: a fixed time, and none that `tar` finds implausible.
const MODIFIED = Date.UTC(2000, 0, 1) / 1000
const LARGEST = 0o77777777777
const READ_CHUNK = 1 << 20

/** What a file holds: bytes, or the file on disk to copy them from. */
export type Content = Buffer | FileOnDisk

interface FileOnDisk {
  readonly file: string
  readonly size: number
}

/** One member of an archive. `path` is relative, without a leading or trailing slash. */
export type TarEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly content: Content }
  | { readonly type: 'link'; readonly path: string; readonly target: string }

/**
 * A tar archive in the GNU format: owner 0, one fixed time, no names of users. Equal entries in equal order are equal
 * bytes.
 *
 * Format: GNU tar manual, "Basic Tar Format"; names over 100 bytes go into an entry of type `L` before their own.
 *
 * @throws Error when a file on disk has another size than its entry says
 */
export async function* tar(entries: Iterable<TarEntry>): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    const name = entry.type === 'directory' ? `${entry.path}/` : entry.path
    const target = entry.type === 'link' ? entry.target : ''
    if (Buffer.byteLength(target) > 100) yield* longName('K', target)
    if (Buffer.byteLength(name) > 100) yield* longName('L', name)
    const size = entry.type === 'file' ? sizeOf(entry.content) : 0
    yield header({ name, mode: entry.type === 'link' ? 0o777 : entry.mode, size, kind: KIND[entry.type], target })
    if (entry.type === 'file') {
      yield* bytesOf(entry.content)
      yield padding(size)
    }
  }
  yield Buffer.alloc(2 * BLOCK)
}

const sizeOf = (content: Content): number => (Buffer.isBuffer(content) ? content.length : content.size)

/** The bytes of a file, in chunks. */
export async function* bytesOf(content: Content): AsyncGenerator<Buffer> {
  if (Buffer.isBuffer(content)) {
    yield content
    return
  }
  let read = 0
  for await (const chunk of chunksOf(content)) {
    read += chunk.length
    yield chunk
  }
  if (read !== content.size)
    throw new Error(`${content.file} had ${content.size} bytes and then ${read}: it was changed while it was read`)
}

// A stream for each of some thousand small files would cost more than reading them.
const chunksOf = ({ file, size }: FileOnDisk): Iterable<Buffer> | AsyncIterable<Buffer> =>
  size <= READ_CHUNK ? [readFileSync(file)] : createReadStream(file, { highWaterMark: READ_CHUNK })

const KIND = { file: '0', link: '2', directory: '5' } as const

interface Header {
  readonly name: string
  readonly mode: number
  readonly size: number
  readonly kind: string
  readonly target: string
}

function header({ name, mode, size, kind, target }: Header): Buffer {
  if (size > LARGEST) throw new TypeError(`${name} has ${size} bytes, more than a tar header can say`)
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, digits: number): number =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at)
  block.write(name, 0, 100)
  octal(mode, 100, 7)
  octal(0, 108, 7)
  octal(0, 116, 7)
  octal(size, 124, 11)
  octal(MODIFIED, 136, 11)
  block.fill(' ', 148, 156)
  block.write(kind, 156)
  block.write(target, 157, 100)
  block.write('ustar  \0', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function* longName(kind: string, name: string): Generator<Buffer> {
  const bytes = Buffer.from(`${name}\0`)
  yield header({ name: '././@LongLink', mode: 0o644, size: bytes.length, kind, target: '' })
  yield bytes
  yield padding(bytes.length)
}

const padding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)
