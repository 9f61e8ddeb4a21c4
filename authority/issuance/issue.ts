import {
  type Certificate,
  type CertificateRequest,
  type Issuer,
  parseCertificateRequest,
  signCertificate
} from '../../shared/x509/index.ts'
import { evaluate, requestRefusal } from './evaluate.ts'
import { type Lifetimes, template, type Wanted } from './template.ts'

/** What a certificate is made of. */
export interface Order extends Omit<Wanted, 'dnsNames'> {
  /** PKCS#10, DER. */
  readonly csr: Uint8Array
}

export interface Issued {
  readonly certificate: Certificate
  /** The certificate first, then the issuer's way up to its root, without the root. */
  readonly chain: readonly Certificate[]
}

/**
 * Evaluates a request, makes the template and signs. Whoever calls has authorized `order.spiffeId`. `now` is in
 * milliseconds since the epoch.
 *
 * @throws CountersignError ERR_CSR_REFUSED, `facts.reason` a RequestRefusal
 * @throws CountersignError ERR_ISSUER_UNUSABLE
 */
export function issue(order: Order, lifetimes: Lifetimes, issuer: Issuer, now: number): Issued {
  const request = parsed(order.csr)
  const refused = evaluate(request, order.spiffeId)
  if (refused !== undefined) throw requestRefusal(refused)
  const { spiffeId, lifetimeMs } = order
  return certify({ spiffeId, lifetimeMs }, request.spki, lifetimes, issuer, now)
}

/**
 * Makes the template and signs it for a key (SubjectPublicKeyInfo, DER) that the authority has made itself, or has
 * looked at. Whoever calls has authorized all that is wanted.
 *
 * @throws CountersignError ERR_ISSUER_UNUSABLE
 */
export function certify(wanted: Wanted, spki: Buffer, lifetimes: Lifetimes, issuer: Issuer, now: number): Issued {
  const certificate = signCertificate(template(wanted, lifetimes, issuer, now), spki, issuer)
  return { certificate, chain: [certificate, ...issuer.chain] }
}

function parsed(csr: Uint8Array): CertificateRequest {
  try {
    return parseCertificateRequest(csr)
  } catch (error) {
    throw requestRefusal('malformed', error)
  }
}
