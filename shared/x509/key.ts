import { createHash, createPrivateKey, createPublicKey, generateKeyPair as generate, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { CountersignError } from '../errors/index.ts'
import { type Asn1, itemsOf, read, wholeBytesOf, write } from './asn1.ts'

export type KeyAlgorithm = 'ecdsa-p256' | 'rsa-2048'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const generateAsync = promisify(generate)

const GENERATE: Readonly<Record<KeyAlgorithm, () => Promise<KeyPair>>> = {
  'ecdsa-p256': () => generateAsync('ec', { namedCurve: 'prime256v1' }),
  'rsa-2048': () => generateAsync('rsa', { modulusLength: 2048 })
}

/** A new key pair, made off the main thread. `algorithm`: default ecdsa-p256. */
export function generateKeyPair(algorithm: KeyAlgorithm = 'ecdsa-p256'): Promise<KeyPair> {
  return GENERATE[algorithm]()
}

/** PKCS#8 (RFC 5958), unencrypted: what Envoy reads. */
export function privateKeyToPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/**
 * Reads PKCS#8, and also PKCS#1 and SEC1, which other authorities write.
 *
 * @throws CountersignError ERR_CERTIFICATE_INVALID, also for an encrypted key
 */
export function privateKeyFromPem(text: string): KeyObject {
  try {
    return createPrivateKey({ key: text, format: 'pem' })
  } catch (error) {
    throw CountersignError.from(error, 'ERR_CERTIFICATE_INVALID', 'not an unencrypted private key in PEM')
  }
}

/** SubjectPublicKeyInfo, DER (RFC 5280, section 4.1.2.7). */
export function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' })
}

/** @throws Error of node:crypto for what OpenSSL cannot read as a key */
export function publicKeyFromSpki(spki: Asn1): KeyObject {
  return createPublicKey({ key: write(spki), type: 'spki', format: 'der' })
}

/** RFC 5280, section 4.2.1.2, method 1: SHA-1 of the bits of the key alone, without the algorithm around them. */
export function keyIdentifierOf(spki: Uint8Array): Buffer {
  const [, bits] = itemsOf(read(spki), 'sequence', 'public key')
  return createHash('sha1').update(wholeBytesOf(bits, 'public key')).digest()
}
