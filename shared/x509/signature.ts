import { sign as cryptoSign, verify as cryptoVerify, type KeyObject } from 'node:crypto'
import { type Asn1, isUniversal, itemsOf, MalformedError, nothing, objectId, oidOf, sequence } from './asn1.ts'
import { OID } from './oid.ts'

/** How a signature in a certificate or request is made; looked up, never built. */
export interface SignatureAlgorithm {
  readonly oid: string
  readonly digest: 'sha256' | 'sha384' | 'sha512'
  readonly keyType: 'ec' | 'rsa'
}

const ALGORITHMS: readonly SignatureAlgorithm[] = [
  { oid: OID.ecdsaWithSha256, digest: 'sha256', keyType: 'ec' },
  { oid: OID.ecdsaWithSha384, digest: 'sha384', keyType: 'ec' },
  { oid: OID.ecdsaWithSha512, digest: 'sha512', keyType: 'ec' },
  { oid: OID.sha256WithRsa, digest: 'sha256', keyType: 'rsa' },
  { oid: OID.sha384WithRsa, digest: 'sha384', keyType: 'rsa' },
  { oid: OID.sha512WithRsa, digest: 'sha512', keyType: 'rsa' }
]

// A digest as long as the curve's order: RFC 5480, section 4.
const DIGEST_OF_CURVE: Readonly<Record<string, string>> = {
  prime256v1: 'sha256',
  secp384r1: 'sha384',
  secp521r1: 'sha512'
}

/**
 * With what a key of this kind signs.
 *
 * @throws TypeError for a key that is neither RSA nor on P-256, P-384 or P-521
 */
export function algorithmFor(key: KeyObject): SignatureAlgorithm {
  const curve = key.asymmetricKeyDetails?.namedCurve ?? ''
  const digest = key.asymmetricKeyType === 'ec' ? DIGEST_OF_CURVE[curve] : 'sha256'
  const found = ALGORITHMS.find(one => one.keyType === key.asymmetricKeyType && one.digest === digest)
  if (found === undefined)
    throw new TypeError(
      `a key of type ${key.asymmetricKeyType} ${curve} cannot sign here: expected RSA, P-256, P-384 or P-521`
    )
  return found
}

/** AlgorithmIdentifier; RSA has a NULL parameter, ECDSA none at all (RFC 4055, section 5; RFC 5758, section 3.2). */
export function encodeAlgorithm(algorithm: SignatureAlgorithm): Asn1 {
  return algorithm.keyType === 'rsa' ? sequence(objectId(algorithm.oid), nothing()) : sequence(objectId(algorithm.oid))
}

/** The algorithm of that identifier; undefined for one that is not used here: MD5, SHA-1, RSASSA-PSS, EdDSA. */
export function decodeAlgorithm(element: Asn1 | undefined): SignatureAlgorithm | undefined {
  const [oid, parameters, ...rest] = itemsOf(element, 'sequence', 'signature algorithm')
  const name = oidOf(oid, 'signature algorithm')
  const found = ALGORITHMS.find(one => one.oid === name)
  if (found === undefined) return undefined
  const asExpected = found.keyType === 'rsa' ? isUniversal(parameters, 'null') : parameters === undefined
  if (!asExpected || rest.length > 0) throw new MalformedError('expected the usual signature algorithm parameters')
  return found
}

export function sign(algorithm: SignatureAlgorithm, privateKey: KeyObject, bytes: Uint8Array): Buffer {
  return cryptoSign(algorithm.digest, bytes, privateKey)
}

/** False as well for a key of another type than the algorithm wants. */
export function verify(
  algorithm: SignatureAlgorithm,
  publicKey: KeyObject,
  bytes: Uint8Array,
  signature: Uint8Array
): boolean {
  if (publicKey.asymmetricKeyType !== algorithm.keyType) return false
  try {
    return cryptoVerify(algorithm.digest, bytes, publicKey, signature)
  } catch {
    // OpenSSL reports some malformed signatures as errors; they are no better than wrong ones.
    return false
  }
}
