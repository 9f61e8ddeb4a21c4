import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { type Logger, Sensitive } from '../../shared/log/index.ts'
import type { ServingCertificate, ServingCertificateSource } from './serving-certificate.ts'

export interface CertificateFolderOptions {
  /** Holds tls.crt, tls.key and perhaps ca.crt, as a mounted Secret of type kubernetes.io/tls does. */
  readonly folder: string
  readonly clock: Clock
  readonly log: Logger
}

// The files are read this often instead of being watched: the kubelet replaces them by renaming a link two levels up,
// of which a watch on a file learns nothing, and takes up to a minute for it anyway.
const POLL_MS = 10_000

/** A serving certificate that somebody else puts into a folder, and replaces there. */
export class CertificateFolder implements ServingCertificateSource {
  readonly #options: CertificateFolderOptions
  readonly #listeners = new Set<() => void>()
  #current: ServingCertificate
  /** The last thing that was wrong, so that it is logged once and not six times a minute. */
  #complaint: string | undefined
  #cancel: () => void = () => undefined
  #closed = false

  private constructor(options: CertificateFolderOptions, first: ServingCertificate) {
    this.#options = options
    this.#current = first
  }

  /** @throws CountersignError ERR_CERTIFICATE_INVALID naming the folder, when there is nothing usable in it */
  static async open(options: CertificateFolderOptions): Promise<CertificateFolder> {
    const source = new CertificateFolder(options, await readFolder(options.folder))
    source.#watchExpiry()
    source.#schedule()
    return source
  }

  current(): ServingCertificate {
    return this.#current
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#closed = true
    this.#cancel()
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancel = this.#options.clock.after(POLL_MS, () => void this.#poll())
  }

  async #poll(): Promise<void> {
    try {
      const found = await readFolder(this.#options.folder)
      if (!this.#closed && !same(found, this.#current)) this.#replace(found)
      this.#watchExpiry()
    } catch (thrown) {
      // Between two writes a certificate and a key need not belong together: what was in use stays in use.
      this.#complain(CountersignError.from(thrown))
    }
    this.#schedule()
  }

  #watchExpiry(): void {
    const { notAfter } = this.#current
    const ended = new Date(notAfter).toISOString()
    if (notAfter > this.#options.clock.now()) this.#complaint = undefined
    else
      this.#complain(
        new CountersignError('ERR_CERTIFICATE_INVALID', `folder ${this.#options.folder}: expired at ${ended}`)
      )
  }

  #complain(err: CountersignError): void {
    if (err.message !== this.#complaint) this.#options.log.error({ err }, 'the serving certificate was not replaced')
    this.#complaint = err.message
  }

  #replace(found: ServingCertificate): void {
    this.#current = found
    const { serialNumber, notAfter } = found
    this.#options.log.info({ serialNumber, notAfter: new Date(notAfter).toISOString() }, 'serving certificate')
    for (const listener of this.#listeners) listener()
  }
}

async function readFolder(folder: string): Promise<ServingCertificate> {
  try {
    // One after the other: of several that are missing always the same is named, so it is complained of once.
    const certificate = await readFile(join(folder, 'tls.crt'), 'utf8')
    const key = await readFile(join(folder, 'tls.key'), 'utf8')
    const caBundle = await readFile(join(folder, 'ca.crt'), 'utf8').catch(ignoreAbsence)
    // The judge is who will use them. It would pass over an empty key, which the comparison does not.
    createSecureContext({ cert: certificate, key })
    const leaf = new X509Certificate(certificate)
    if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Error('the key is that of another certificate')
    const serialNumber = leaf.serialNumber.toLowerCase()
    return Object.freeze({
      certificate,
      privateKey: new Sensitive(key),
      caBundle,
      serialNumber,
      notAfter: leaf.validToDate.getTime()
    })
  } catch (thrown) {
    const context = `folder ${folder}: expected tls.crt and tls.key, PEM, belonging together`
    throw CountersignError.from(thrown, 'ERR_CERTIFICATE_INVALID', context)
  }
}

function ignoreAbsence(thrown: NodeJS.ErrnoException): undefined {
  if (thrown.code !== 'ENOENT') throw thrown
}

function same(one: ServingCertificate, other: ServingCertificate): boolean {
  return (
    one.certificate === other.certificate &&
    one.privateKey.reveal() === other.privateKey.reveal() &&
    one.caBundle === other.caBundle
  )
}
