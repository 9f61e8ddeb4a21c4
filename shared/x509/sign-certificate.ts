import { type KeyObject, randomBytes } from 'node:crypto'
import type { SpiffeId, TrustDomain } from '../identity/index.ts'
import { subjectAltName } from './alt-name.ts'
import {
  type Asn1,
  bitString,
  explicit,
  integerBytes,
  objectId,
  read,
  sequence,
  set,
  smallInteger,
  utf8String,
  write
} from './asn1.ts'
import { type Certificate, parseCertificate, structureOf } from './certificate.ts'
import {
  authorityKeyIdentifier,
  basicConstraints,
  type Extension,
  encodeExtensions,
  extendedKeyUsage,
  keyUsage,
  subjectKeyIdentifier
} from './extension.ts'
import { generateKeyPair, type KeyAlgorithm, keyIdentifierOf, spkiOf } from './key.ts'
import { OID } from './oid.ts'
import { algorithmFor, encodeAlgorithm, sign } from './signature.ts'
import { encodeTime } from './time.ts'

/** Whoever signs: a root, or an intermediate with what leads from it to its root. */
export interface Issuer {
  readonly certificate: Certificate
  readonly privateKey: KeyObject
  /** `certificate` and further intermediates up to the root, which is left out; empty when `certificate` is a root. */
  readonly chain: readonly Certificate[]
}

/** What a certificate shall say. Whether it may is decided before. */
export interface CertificateTemplate {
  /** The URI name of a workload; an authority has none (X509-SVID, section 3.1: no path in a signing certificate). */
  readonly spiffeId?: SpiffeId
  /** Authorities only: names the trust domain they sign for. */
  readonly trustDomain?: TrustDomain
  readonly dnsNames?: readonly string[]
  /** Milliseconds since the epoch, as is `notAfter`; fractions of a second are cut off. Backdating is the maker's. */
  readonly notBefore: number
  readonly notAfter: number
  /** workload: signs handshakes, as client and server. authority: signs certificates. */
  readonly usage: 'workload' | 'authority'
  /** Subject; empty when absent, which an authority's must not be. */
  readonly commonName?: string
  /** Authorities only: how many intermediates may follow below. Default 0: leaves only. */
  readonly pathLength?: number
}

/** X.509 version 3 (RFC 5280, section 4.1.2.1). */
const VERSION_3 = 2
// CA/Browser Forum asks for 64 bits; RFC 5280, section 4.1.2.2, allows up to 20 bytes.
const SERIAL_BYTES = 16

/**
 * Makes and signs a certificate (X509-SVID; RFC 5280).
 *
 * @throws TypeError for a template that contradicts itself
 */
export function signCertificate(template: CertificateTemplate, spki: Buffer, issuer: Issuer): Certificate {
  const parent = structureOf(issuer.certificate)
  return make(template, spki, {
    name: read(parent.subjectName),
    keyIdentifier: parent.subjectKeyIdentifier ?? keyIdentifierOf(parent.spki),
    privateKey: issuer.privateKey,
    pathLength: template.pathLength ?? 0
  })
}

export interface RootOptions {
  readonly commonName: string
  readonly trustDomain?: TrustDomain
  /** Milliseconds since the epoch, as is `notAfter`. */
  readonly notBefore: number
  readonly notAfter: number
  /** Default ecdsa-p256. */
  readonly algorithm?: KeyAlgorithm
}

/** Makes a key and the certificate that it signs for itself: any number of intermediates may follow below it. */
export async function createRoot(options: RootOptions): Promise<Issuer> {
  const { algorithm, ...rest } = options
  const { publicKey, privateKey } = await generateKeyPair(algorithm)
  const spki = spkiOf(publicKey)
  const template: CertificateTemplate = { ...rest, usage: 'authority' }
  const certificate = make(template, spki, {
    name: nameOf(options.commonName),
    keyIdentifier: keyIdentifierOf(spki),
    privateKey,
    pathLength: undefined
  })
  return { certificate, privateKey, chain: [] }
}

interface Signer {
  readonly name: Asn1
  readonly keyIdentifier: Buffer
  readonly privateKey: KeyObject
  readonly pathLength: number | undefined
}

function make(template: CertificateTemplate, spki: Buffer, signer: Signer): Certificate {
  check(template)
  const algorithm = algorithmFor(signer.privateKey)
  const toBeSigned = sequence(
    explicit(0, smallInteger(VERSION_3)),
    integerBytes(serialNumber()),
    encodeAlgorithm(algorithm),
    signer.name,
    sequence(encodeTime(template.notBefore), encodeTime(template.notAfter)),
    nameOf(template.commonName),
    read(spki),
    explicit(3, encodeExtensions(extensionsFor(template, spki, signer)))
  )
  const signature = sign(algorithm, signer.privateKey, write(toBeSigned))
  return parseCertificate(write(sequence(toBeSigned, encodeAlgorithm(algorithm), bitString(signature))))
}

function check(template: CertificateTemplate): void {
  const { usage, commonName, spiffeId, trustDomain, dnsNames = [], pathLength } = template
  const wrong = (why: string): never => {
    throw new TypeError(`certificate template: ${why}`)
  }
  if (template.notAfter <= template.notBefore) wrong('notAfter must come after notBefore')
  if (commonName === '') wrong('commonName must not be the empty string')
  if (usage === 'authority') {
    // An authority's subject is the issuer of what it signs, and an issuer must have a name.
    if (commonName === undefined) wrong('an authority needs a commonName')
    if (spiffeId !== undefined || dnsNames.length > 0) wrong('an authority has neither spiffeId nor dnsNames')
    return
  }
  if (trustDomain !== undefined || pathLength !== undefined) wrong('trustDomain and pathLength are for authorities')
  if (spiffeId === undefined && dnsNames.length === 0) wrong('a workload needs a spiffeId or dnsNames')
}

function extensionsFor(template: CertificateTemplate, spki: Buffer, signer: Signer): readonly Extension[] {
  const { usage, spiffeId, trustDomain, dnsNames = [] } = template
  const isAuthority = usage === 'authority'
  const uris =
    spiffeId !== undefined ? [spiffeId.toString()] : trustDomain !== undefined ? [`spiffe://${trustDomain}`] : []
  const names = [
    ...uris.map(value => ({ type: 'uri' as const, value })),
    ...dnsNames.map(value => ({ type: 'dns' as const, value }))
  ]
  return [
    keyUsage(usage),
    ...(isAuthority ? [] : [extendedKeyUsage()]),
    basicConstraints({ isAuthority, pathLength: signer.pathLength }),
    subjectKeyIdentifier(keyIdentifierOf(spki)),
    authorityKeyIdentifier(signer.keyIdentifier),
    ...(names.length > 0 ? [subjectAltName(names, template.commonName === undefined)] : [])
  ]
}

function nameOf(commonName: string | undefined): Asn1 {
  if (commonName === undefined) return sequence()
  return sequence(set(sequence(objectId(OID.commonName), utf8String(commonName))))
}

/** Positive, and its first byte neither zero nor with the sign bit: always 16 bytes in minimal form. */
function serialNumber(): Buffer {
  const bytes = randomBytes(SERIAL_BYTES)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}
