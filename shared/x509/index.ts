// Certificates: keys, requests, certificates, chains. What they say and whether they are sound; not who may have them.
//
// In: DER and PEM, keys, templates, the time. Out: keys, requests, certificates as values, verified SPIFFE IDs, or
// ERR_CSR_REFUSED and ERR_CERTIFICATE_INVALID.
// Never: decides who is given a certificate; reads the clock; computes with keys outside node:crypto. node-forge reads
// and writes ASN.1 in asn1.ts and is known to no other file. Everything from outside is bounded before it is parsed.
// Source: X509-SVID (github.com/spiffe/spiffe, standards/X509-SVID.md), RFC 5280, RFC 2986, RFC 7468.

export type { AltName } from './alt-name.ts'
export { type Certificate, parseCertificate } from './certificate.ts'
export { type CertificateRequest, createCertificateRequest, parseCertificateRequest } from './certificate-request.ts'
export { generateKeyPair, type KeyAlgorithm, type KeyPair, privateKeyFromPem, privateKeyToPem, spkiOf } from './key.ts'
export { parsePem, toPem } from './pem.ts'
export { signRenewalProof, verifyRenewalProof } from './renewal-proof.ts'
export { type Life, renewalTime } from './renewal-time.ts'
export {
  type CertificateTemplate,
  createRoot,
  type Issuer,
  type RootOptions,
  signCertificate
} from './sign-certificate.ts'
export { type TrustBundle, verifySvid } from './verify-svid.ts'
