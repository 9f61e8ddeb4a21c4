import type { KeyObject } from 'node:crypto'
import type { SpiffeId } from '../identity/index.ts'
import { type AltName, decodeSubjectAltName, subjectAltName } from './alt-name.ts'
import {
  type Asn1,
  bitString,
  explicit,
  isContext,
  itemsOf,
  MalformedError,
  objectId,
  oidOf,
  read,
  sequence,
  set,
  smallInteger,
  smallIntegerOf,
  taggedItemsOf,
  wholeBytesOf,
  write
} from './asn1.ts'
import { decode } from './decode.ts'
import { decodeExtensions, type Extension, encodeExtensions } from './extension.ts'
import { type KeyPair, publicKeyFromSpki, spkiOf } from './key.ts'
import { OID } from './oid.ts'
import { algorithmFor, decodeAlgorithm, encodeAlgorithm, type SignatureAlgorithm, sign, verify } from './signature.ts'

/** What a PKCS#10 request (RFC 2986) asks for. Whether it may is not decided here. */
export interface CertificateRequest {
  readonly subjectIsEmpty: boolean
  readonly publicKey: KeyObject
  /** SubjectPublicKeyInfo as received, DER. */
  readonly spki: Buffer
  readonly subjectAltNames: readonly AltName[]
  /** Every extension asked for, the subject alternative name among them. */
  readonly extensions: readonly { readonly oid: string; readonly critical: boolean }[]
  /** OIDs of attributes other than the request for extensions, for example a challenge password. */
  readonly otherAttributes: readonly string[]
  /** Signed by its own key, with ECDSA on P-256 or RSA PKCS#1 v1.5, and SHA-256; nothing else counts. */
  readonly signatureValid: boolean
}

const MAX_REQUEST_BYTES = 16_384
const ACCEPTED: ReadonlySet<string> = new Set([OID.ecdsaWithSha256, OID.sha256WithRsa])

/**
 * A request in DER with an empty subject and one name: the SPIFFE ID, critical because the subject is empty
 * (RFC 5280, section 4.1.2.6).
 *
 * @throws TypeError for a key that is neither RSA nor on P-256, P-384 or P-521
 */
export function createCertificateRequest(keyPair: KeyPair, spiffeId: SpiffeId): Buffer {
  const wanted = [subjectAltName([{ type: 'uri', value: spiffeId.toString() }], true)]
  const attribute = sequence(objectId(OID.extensionRequest), set(encodeExtensions(wanted)))
  const info = sequence(smallInteger(0), sequence(), read(spkiOf(keyPair.publicKey)), explicit(0, attribute))
  const algorithm = algorithmFor(keyPair.privateKey)
  const signature = sign(algorithm, keyPair.privateKey, write(info))
  return write(sequence(info, encodeAlgorithm(algorithm), bitString(signature)))
}

/**
 * Parses requests of at most 16 KiB, strictly in DER, and checks the signature.
 *
 * @throws CountersignError ERR_CSR_REFUSED when the structure is malformed
 */
export function parseCertificateRequest(der: Uint8Array): CertificateRequest {
  return decode('ERR_CSR_REFUSED', 'certificate request', der, MAX_REQUEST_BYTES, () => parse(der))
}

function parse(der: Uint8Array): CertificateRequest {
  const [info, algorithm, signature, ...rest] = itemsOf(read(der), 'sequence', 'request')
  if (info === undefined || rest.length > 0) throw new MalformedError('expected a request of three parts')
  const [version, subject, spki, attributes, ...more] = itemsOf(info, 'sequence', 'request')
  if (smallIntegerOf(version, 'version') !== 0) throw new MalformedError('expected a request of version 1')
  if (spki === undefined || more.length > 0) throw new MalformedError('expected a version, subject, key and attributes')
  const publicKey = publicKeyFromSpki(spki)
  const { extensions, otherAttributes } = decodeAttributes(attributes)
  const names = extensions.find(({ oid }) => oid === OID.subjectAltName)
  return Object.freeze({
    subjectIsEmpty: itemsOf(subject, 'sequence', 'subject').length === 0,
    publicKey,
    spki: write(spki),
    subjectAltNames: names === undefined ? [] : decodeSubjectAltName(names),
    extensions: extensions.map(({ oid, critical }) => ({ oid, critical })),
    otherAttributes,
    // `read` took only DER, so writing gives the bytes that were received and signed.
    signatureValid: isSigned(decodeAlgorithm(algorithm), publicKey, write(info), wholeBytesOf(signature, 'signature'))
  })
}

function isSigned(
  algorithm: SignatureAlgorithm | undefined,
  publicKey: KeyObject,
  signed: Buffer,
  signature: Buffer
): boolean {
  if (algorithm === undefined || !ACCEPTED.has(algorithm.oid)) return false
  if (algorithm.keyType === 'ec' && publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false
  return verify(algorithm, publicKey, signed, signature)
}

interface Attributes {
  readonly extensions: readonly Extension[]
  readonly otherAttributes: readonly string[]
}

function decodeAttributes(element: Asn1 | undefined): Attributes {
  // RFC 2986 has the field always; some makers of requests leave it out when it is empty.
  if (element === undefined) return { extensions: [], otherAttributes: [] }
  if (!isContext(element, 0)) throw new MalformedError('expected attributes')
  let extensions: readonly Extension[] | undefined
  const otherAttributes: string[] = []
  for (const attribute of taggedItemsOf(element, 'attributes')) {
    const [type, values, ...rest] = itemsOf(attribute, 'sequence', 'attribute')
    const oid = oidOf(type, 'attribute')
    const [value, ...others] = itemsOf(values, 'set', 'attribute')
    if (rest.length > 0) throw new MalformedError('expected an attribute of two parts')
    if (oid !== OID.extensionRequest) otherAttributes.push(oid)
    else if (extensions !== undefined || others.length > 0) throw new MalformedError('expected extensions once')
    else extensions = decodeExtensions(value)
  }
  return { extensions: extensions ?? [], otherAttributes }
}
