import { CountersignError } from '../errors/index.ts'
import type { SpiffeId, TrustDomain } from '../identity/index.ts'
import { type Certificate, structureOf } from './certificate.ts'
import { verify } from './signature.ts'

/** The roots of one trust domain. */
export interface TrustBundle {
  readonly trustDomain: TrustDomain
  readonly roots: readonly Certificate[]
}

const MAX_CHAIN = 10

/**
 * Verifies an SVID (X509-SVID, section 5; RFC 5280, section 6.1): leaf first, each certificate signed by the next
 * (RFC 5246, section 7.4.2), the last one by a root of the bundle of the leaf's own trust domain. `now` is in
 * milliseconds since the epoch.
 *
 * Signatures are ECDSA or RSA PKCS#1 v1.5 with SHA-256 or longer. Certificates with critical extensions that are not
 * understood, name constraints among them, are refused.
 *
 * @throws CountersignError ERR_CERTIFICATE_INVALID
 */
export function verifySvid(chain: readonly Certificate[], bundles: readonly TrustBundle[], now: number): SpiffeId {
  const [leaf, ...above] = chain
  if (leaf === undefined || chain.length > MAX_CHAIN)
    return refuse(`the chain has ${chain.length} certificates: expected 1 to ${MAX_CHAIN}`)
  const spiffeId = checkLeaf(leaf, now)
  const roots = bundles.filter(bundle => bundle.trustDomain === spiffeId.trustDomain).flatMap(({ roots }) => roots)
  if (roots.length === 0) return refuse(`there is no trust bundle for trust domain ${spiffeId.trustDomain}`)

  let certificate = leaf
  for (let intermediates = 0; ; intermediates++) {
    // Several roots may have signed it: while one replaces another, both may have the same name and the same key.
    const faults = roots
      .filter(root => isIssuedBy(certificate, root))
      .map(root => issuerFault(root, 'the root', intermediates, now))
    if (faults.includes(undefined)) return spiffeId
    const next = above[intermediates]
    if (next === undefined) return refuse(faults[0] ?? `the chain does not lead to a root of ${spiffeId.trustDomain}`)
    const name = `intermediate ${intermediates + 1}`
    if (!isIssuedBy(certificate, next)) return refuse(faults[0] ?? `${name} did not sign the certificate before it`)
    const fault = issuerFault(next, name, intermediates, now)
    if (fault !== undefined) return refuse(fault)
    certificate = next
  }
}

function refuse(why: string): never {
  throw new CountersignError('ERR_CERTIFICATE_INVALID', why)
}

/** X509-SVID, section 5.2: what a leaf must be, before any signature is looked at. */
function checkLeaf(leaf: Certificate, now: number): SpiffeId {
  const { keyUsage, altNames } = structureOf(leaf)
  const uris = altNames.filter(({ type }) => type === 'uri')
  if (uris.length !== 1) refuse(`the leaf has ${uris.length} URI names: expected exactly one`)
  if (leaf.isAuthority) refuse('the leaf is a certificate authority')
  if (keyUsage === undefined) return refuse('the leaf has no key usage')
  if (keyUsage.keyCertSign || keyUsage.cRLSign) refuse('the leaf may sign certificates or revocation lists')
  if (!keyUsage.digitalSignature) refuse('the key usage of the leaf lacks digitalSignature')
  const fault = commonFault(leaf, 'the leaf', now)
  if (fault !== undefined) refuse(fault)
  return leaf.spiffeId ?? refuse('the URI name of the leaf is not a SPIFFE ID of a shape that is known here')
}

/**
 * RFC 5280, section 6.1.4 (k) to (n). `below`: how many intermediates stand between it and the leaf; self-issued ones
 * count like others here, which is stricter than the RFC.
 */
function issuerFault(issuer: Certificate, name: string, below: number, now: number): string | undefined {
  const { basicConstraints, keyUsage } = structureOf(issuer)
  if (!basicConstraints.isAuthority) return `${name} is not a certificate authority`
  if (keyUsage !== undefined && !keyUsage.keyCertSign) return `${name} may not sign certificates`
  if (basicConstraints.pathLength !== undefined && below > basicConstraints.pathLength)
    return `${name} allows ${basicConstraints.pathLength} intermediates below it: the chain has ${below}`
  return commonFault(issuer, name, now)
}

function commonFault(certificate: Certificate, name: string, now: number): string | undefined {
  const [unknown] = structureOf(certificate).unknownCritical
  if (unknown !== undefined) return `${name} has critical extension ${unknown}, which is not understood`
  if (now < certificate.notBefore) return `${name} is not valid before ${timeText(certificate.notBefore)}`
  // RFC 5280, section 4.1.2.5: through notAfter, inclusive; the encoding has whole seconds.
  if (now >= certificate.notAfter + 1_000) return `${name} expired at ${timeText(certificate.notAfter)}`
  return undefined
}

const timeText = (milliseconds: number): string => new Date(milliseconds).toISOString()

function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  const child = structureOf(certificate)
  const parent = structureOf(issuer)
  if (!child.issuerName.equals(parent.subjectName)) return false
  // Two roots may share a name while one replaces the other; their keys tell them apart.
  const named = child.authorityKeyIdentifier
  if (named !== undefined && parent.subjectKeyIdentifier?.equals(named) === false) return false
  if (child.signatureAlgorithm === undefined) return false
  return verify(child.signatureAlgorithm, issuer.publicKey, child.signed, child.signature)
}
