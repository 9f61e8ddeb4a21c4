import { createPublicKey, type KeyObject } from 'node:crypto'
import { rmSync } from 'node:fs'
import { z } from 'zod'
import { writeFileAtomically } from '../../shared/files/index.ts'
import { SpiffeId } from '../../shared/identity/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { type Certificate, parsePem, privateKeyFromPem, privateKeyToPem, toPem } from '../../shared/x509/index.ts'
import { readOrSetAside } from './guarded-read.ts'

/** An SVID with its key, as it is kept. */
export interface StoredSvid {
  readonly spiffeId: SpiffeId
  /** The SVID first, then its intermediates. */
  readonly chain: readonly Certificate[]
  readonly privateKey: KeyObject
  /** When it came, in milliseconds since the epoch, by this machine's clock. */
  readonly issuedAt: number
}

const fileSchema = z.strictObject({
  version: z.literal(1),
  /** Whom it was made for: the UID of a pod, or the agent. */
  owner: z.string().min(1),
  spiffeId: z.string(),
  issuedAt: z.iso.datetime(),
  /** PKCS#8, PEM. */
  privateKey: z.string(),
  /** PEM, the SVID first. */
  chain: z.string()
})

/** One SVID in one file of mode 0600. */
export class SvidFile {
  readonly #path: string
  readonly #owner: string
  readonly #log: Logger

  constructor(path: string, owner: string, log: Logger) {
    this.#path = path
    this.#owner = owner
    this.#log = log
  }

  /**
   * What was saved last, or undefined where there is nothing usable: then the file has been set aside. Whether the
   * certificate has expired or is for somebody else by now, its user decides.
   */
  load(): StoredSvid | undefined {
    return readOrSetAside(this.#path, this.#log, content => parse(content.toString('utf8'), this.#owner))
  }

  /** @throws the error of `node:fs` when the folder cannot be written */
  save(svid: StoredSvid): void {
    const content: z.infer<typeof fileSchema> = {
      version: 1,
      owner: this.#owner,
      spiffeId: svid.spiffeId.toString(),
      issuedAt: new Date(svid.issuedAt).toISOString(),
      privateKey: privateKeyToPem(svid.privateKey),
      chain: toPem(svid.chain)
    }
    writeFileAtomically(this.#path, JSON.stringify(content))
  }

  /** Removes it, with what was set aside of it. */
  forget(): void {
    rmSync(this.#path, { force: true })
    rmSync(`${this.#path}.corrupt`, { force: true })
  }
}

function parse(text: string, owner: string): StoredSvid {
  const result = fileSchema.safeParse(parseJson(text))
  // zod's sentences name the field and what was expected of it, never the value: that may be a key.
  if (!result.success) throw new Error(z.prettifyError(result.error))
  const file = result.data
  if (file.owner !== owner) throw new Error(`owner: expected ${owner}, got ${file.owner}`)
  const chain = parsePem(file.chain)
  const privateKey = privateKeyFromPem(file.privateKey)
  const spiffeId = SpiffeId.parse(file.spiffeId)
  const leaf = chain[0]
  if (leaf?.spiffeId === undefined || !leaf.spiffeId.equals(spiffeId))
    throw new Error(`chain: expected a certificate for ${spiffeId}, got one for ${leaf?.spiffeId ?? 'nobody'}`)
  if (!createPublicKey(privateKey).equals(leaf.publicKey)) throw new Error('privateKey: not that of the certificate')
  return Object.freeze({ spiffeId, chain, privateKey, issuedAt: Date.parse(file.issuedAt) })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which holds a key.
    throw new Error('not JSON')
  }
}
