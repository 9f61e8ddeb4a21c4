import type { Sensitive } from '../../shared/log/index.ts'

/** What a TLS server shows and what its clients need in order to trust it. */
export interface ServingCertificate {
  /** PEM, with its intermediates, leaf first. */
  readonly certificate: string
  /** PEM, PKCS#8. */
  readonly privateKey: Sensitive<string>
  /** PEM: every root that a client should know at this time. Undefined where nobody said. */
  readonly caBundle: string | undefined
  readonly serialNumber: string
  /** Milliseconds since the epoch. */
  readonly notAfter: number
}

/** A certificate that is replaced before it ends. */
export interface ServingCertificateSource {
  current(): ServingCertificate
  /** The listener is called after every replacement, of the certificate or of the bundle; it must not throw. */
  subscribe(listener: () => void): () => void
  /** Ends the replacing. */
  close(): void
}
