import { createHash } from 'node:crypto'
import { writeFileAtomically } from '../../shared/files/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { readOrSetAside } from './guarded-read.ts'

// "CSMESH", a format version of two bytes, SHA-256 of the content, the content.
const MAGIC = Buffer.from('CSMESH')
const VERSION = 1
const VERSION_AT = MAGIC.length
const DIGEST_AT = VERSION_AT + 2
const CONTENT_AT = DIGEST_AT + 32

/** Bytes that come back as they went in, or not at all. */
export class MeshFile {
  readonly #path: string
  readonly #log: Logger

  constructor(path: string, log: Logger) {
    this.#path = path
    this.#log = log
  }

  /** What was saved last and `parse` accepts, or undefined; what is not usable has been set aside. */
  load<T>(parse: (content: Uint8Array) => T): T | undefined {
    return readOrSetAside(this.#path, this.#log, file => parse(contentOf(file)))
  }

  /** @throws the error of `node:fs` when the folder cannot be written */
  save(content: Uint8Array): void {
    const header = Buffer.alloc(CONTENT_AT)
    MAGIC.copy(header)
    header.writeUInt16BE(VERSION, VERSION_AT)
    digest(content).copy(header, DIGEST_AT)
    writeFileAtomically(this.#path, Buffer.concat([header, content]))
  }
}

function contentOf(file: Buffer): Uint8Array {
  if (file.length < CONTENT_AT) throw new Error(`expected at least ${CONTENT_AT} bytes, got ${file.length}`)
  if (!file.subarray(0, VERSION_AT).equals(MAGIC)) throw new Error('does not start as a file of mesh state')
  const version = file.readUInt16BE(VERSION_AT)
  if (version !== VERSION) throw new Error(`expected format version ${VERSION}, got ${version}`)
  const content = file.subarray(CONTENT_AT)
  if (!digest(content).equals(file.subarray(DIGEST_AT, CONTENT_AT))) throw new Error('checksum does not match')
  return content
}

function digest(content: Uint8Array): Buffer {
  return createHash('sha256').update(content).digest()
}
