import type { KeyObject } from 'node:crypto'
import { SpiffeId } from '../identity/index.ts'
import { type AltName, decodeSubjectAltName } from './alt-name.ts'
import {
  integerBytesOf,
  isContext,
  itemsOf,
  MalformedError,
  read,
  smallIntegerOf,
  taggedItemsOf,
  wholeBytesOf,
  write
} from './asn1.ts'
import { decode } from './decode.ts'
import {
  type BasicConstraints,
  decodeAuthorityKeyIdentifier,
  decodeBasicConstraints,
  decodeExtensions,
  decodeKeyUsage,
  decodeSubjectKeyIdentifier,
  type Extension,
  type KeyUsage
} from './extension.ts'
import { publicKeyFromSpki } from './key.ts'
import { OID } from './oid.ts'
import { decodeAlgorithm, type SignatureAlgorithm } from './signature.ts'
import { decodeTime } from './time.ts'

/** An X.509 certificate (RFC 5280) whose structure is sound. Nothing is said about who signed it. */
export interface Certificate {
  readonly der: Buffer
  /** Lower-case hexadecimal, two digits a byte. */
  readonly serialNumber: string
  /** Milliseconds since the epoch, as is `notAfter`; both ends belong to the validity. */
  readonly notBefore: number
  readonly notAfter: number
  readonly publicKey: KeyObject
  /** Its only URI name, where that is one of the shapes that this mesh issues. */
  readonly spiffeId: SpiffeId | undefined
  /** Its DNS names, in their order. */
  readonly dnsNames: readonly string[]
  /** The CA flag of its basic constraints. */
  readonly isAuthority: boolean
}

/** What signing and verifying need beside that; not for other rooms. */
export interface CertificateStructure {
  /** The bytes that are signed. */
  readonly signed: Buffer
  /** Undefined: an algorithm that is not accepted here. */
  readonly signatureAlgorithm: SignatureAlgorithm | undefined
  readonly signature: Buffer
  readonly issuerName: Buffer
  readonly subjectName: Buffer
  readonly spki: Buffer
  readonly basicConstraints: BasicConstraints
  readonly keyUsage: KeyUsage | undefined
  readonly altNames: readonly AltName[]
  readonly subjectKeyIdentifier: Buffer | undefined
  readonly authorityKeyIdentifier: Buffer | undefined
  /** OIDs of critical extensions that this room does not understand. */
  readonly unknownCritical: readonly string[]
}

const MAX_CERTIFICATE_BYTES = 16_384
const NO_AUTHORITY: BasicConstraints = { isAuthority: false, pathLength: undefined }
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.basicConstraints,
  OID.keyUsage,
  OID.extendedKeyUsage,
  OID.subjectAltName,
  OID.subjectKeyIdentifier,
  OID.authorityKeyIdentifier
])

const structures = new WeakMap<Certificate, CertificateStructure>()

/** The structure behind a certificate. */
export function structureOf(certificate: Certificate): CertificateStructure {
  const known = structures.get(certificate) ?? structures.get(parseCertificate(certificate.der))
  if (known === undefined) throw new TypeError('BUG: a certificate without a structure')
  return known
}

/**
 * Parses version 3 certificates of at most 16 KiB, strictly in DER.
 *
 * @throws CountersignError ERR_CERTIFICATE_INVALID
 */
export function parseCertificate(der: Uint8Array): Certificate {
  return decode('ERR_CERTIFICATE_INVALID', 'certificate', der, MAX_CERTIFICATE_BYTES, () => parse(Buffer.from(der)))
}

function parse(der: Buffer): Certificate {
  const [toBeSigned, algorithm, signature, ...rest] = itemsOf(read(der), 'sequence', 'certificate')
  if (toBeSigned === undefined || algorithm === undefined || rest.length > 0)
    throw new MalformedError('expected a certificate of three parts')
  const [version, serial, innerAlgorithm, issuer, validity, subject, spki, ...optional] = itemsOf(
    toBeSigned,
    'sequence',
    'certificate'
  )
  if (!isContext(version, 0) || smallIntegerOf(taggedItemsOf(version, 'version')[0], 'version') !== 2)
    throw new MalformedError('expected a certificate of version 3')
  if (innerAlgorithm === undefined || issuer === undefined || subject === undefined || spki === undefined)
    throw new MalformedError('expected algorithm, issuer, subject and key')
  // RFC 5280, section 4.1.1.2: the algorithm is named inside and outside, and must be the same.
  if (!write(innerAlgorithm).equals(write(algorithm))) throw new MalformedError('expected one signature algorithm')
  for (const name of [issuer, subject]) itemsOf(name, 'sequence', 'name')
  const [notBefore, notAfter] = itemsOf(validity, 'sequence', 'validity')

  const extensions = extensionsIn(optional)
  const altNames = optionally(extensions, OID.subjectAltName, decodeSubjectAltName) ?? []
  const constraints = optionally(extensions, OID.basicConstraints, decodeBasicConstraints) ?? NO_AUTHORITY
  const certificate: Certificate = Object.freeze({
    der,
    serialNumber: integerBytesOf(serial, 'serial number').toString('hex'),
    notBefore: decodeTime(notBefore, 'notBefore'),
    notAfter: decodeTime(notAfter, 'notAfter'),
    publicKey: publicKeyFromSpki(spki),
    spiffeId: spiffeIdIn(altNames),
    dnsNames: Object.freeze(altNames.filter(({ type }) => type === 'dns').map(({ value }) => value)),
    isAuthority: constraints.isAuthority
  })
  structures.set(certificate, {
    signed: write(toBeSigned),
    signatureAlgorithm: decodeAlgorithm(algorithm),
    signature: wholeBytesOf(signature, 'signature'),
    issuerName: write(issuer),
    subjectName: write(subject),
    spki: write(spki),
    basicConstraints: constraints,
    keyUsage: optionally(extensions, OID.keyUsage, decodeKeyUsage),
    altNames,
    subjectKeyIdentifier: optionally(extensions, OID.subjectKeyIdentifier, decodeSubjectKeyIdentifier),
    authorityKeyIdentifier: optionally(extensions, OID.authorityKeyIdentifier, decodeAuthorityKeyIdentifier),
    unknownCritical: extensions.filter(({ critical, oid }) => critical && !UNDERSTOOD.has(oid)).map(({ oid }) => oid)
  })
  return certificate
}

function extensionsIn(optional: ReturnType<typeof itemsOf>): readonly Extension[] {
  // [1] and [2] are unique identifiers, which conforming authorities do not make (RFC 5280, section 4.1.2.8).
  const [field, ...rest] = optional
  if (field === undefined) return []
  if (!isContext(field, 3) || rest.length > 0) throw new MalformedError('expected extensions and nothing else')
  const [list, ...more] = taggedItemsOf(field, 'extensions')
  if (more.length > 0) throw new MalformedError('expected one list of extensions')
  return decodeExtensions(list)
}

function optionally<T>(extensions: readonly Extension[], oid: string, decoder: (one: Extension) => T): T | undefined {
  const found = extensions.find(extension => extension.oid === oid)
  return found === undefined ? undefined : decoder(found)
}

function spiffeIdIn(altNames: readonly AltName[]): SpiffeId | undefined {
  const [uri, ...others] = altNames.filter(({ type }) => type === 'uri')
  if (uri === undefined || others.length > 0) return undefined
  try {
    return SpiffeId.parse(uri.value)
  } catch {
    // Roots name a trust domain, and other meshes have shapes of their own.
    return undefined
  }
}
