import { type KeyObject, sign, verify } from 'node:crypto'

// Ends in a zero byte, and no TLS handshake signs anything that starts so (RFC 8446, section 4.4.3): a signature made
// for one purpose is worth nothing for the other.
const CONTEXT = Buffer.from('countersign renewal v1\0', 'latin1')

/**
 * Proves possession of the key of the current SVID to whoever signs the next one: a signature over the context and
 * the new request (RenewalProof in certificate_authority.proto). ECDSA with SHA-256 in DER, or RSA PKCS#1 v1.5.
 */
export function signRenewalProof(privateKey: KeyObject, csr: Uint8Array): Buffer {
  return sign('sha256', Buffer.concat([CONTEXT, csr]), privateKey)
}

/** `publicKey`: that of the current SVID, which must have been verified. Never throws. */
export function verifyRenewalProof(publicKey: KeyObject, csr: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.asymmetricKeyType !== 'ec' && publicKey.asymmetricKeyType !== 'rsa') return false
  try {
    return verify('sha256', Buffer.concat([CONTEXT, csr]), publicKey, signature)
  } catch {
    return false
  }
}
