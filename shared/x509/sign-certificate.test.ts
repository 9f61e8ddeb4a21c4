import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import { parseTrustDomain, SpiffeId } from '../identity/index.ts'
import { structureOf } from './certificate.ts'
import {
  type CertificateTemplate,
  createCertificateRequest,
  createRoot,
  generateKeyPair,
  type Issuer,
  type KeyAlgorithm,
  parseCertificateRequest,
  signCertificate,
  spkiOf,
  toPem
} from './index.ts'
import { assertOpensslVerifies, openssl } from './openssl.test-support.ts'

const trustDomain = parseTrustDomain('cluster.local')
const spiffeId = SpiffeId.workload(trustDomain, 'shop', 'cart')
const SECOND = 1_000
const DAY = 86_400 * SECOND
// OpenSSL judges by its own clock, so these certificates live now.
const now = Math.floor(Date.now() / SECOND) * SECOND
const life = { notBefore: now - 60 * SECOND, notAfter: now + DAY }
const leafTemplate: CertificateTemplate = { ...life, usage: 'workload', spiffeId }

const newRoot = (algorithm: KeyAlgorithm = 'ecdsa-p256'): Promise<Issuer> =>
  createRoot({ ...life, commonName: 'test root', trustDomain, algorithm })

async function intermediateOf(root: Issuer, commonName: string, pathLength?: number): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair()
  const template = { ...life, usage: 'authority', commonName, trustDomain } as const
  const length = pathLength === undefined ? {} : { pathLength }
  const certificate = signCertificate({ ...template, ...length }, spkiOf(publicKey), root)
  return { certificate, privateKey, chain: [certificate, ...root.chain] }
}

describe('signing certificates', () => {
  for (const authority of ['ecdsa-p256', 'rsa-2048'] as const)
    for (const holder of ['ecdsa-p256', 'rsa-2048'] as const)
      it(`an SVID with a key of ${holder}, requested and signed by an authority of ${authority}, satisfies OpenSSL and Node.js`, async () => {
        const root = await newRoot(authority)
        const keyPair = await generateKeyPair(holder)
        const request = parseCertificateRequest(createCertificateRequest(keyPair, spiffeId))
        const leaf = signCertificate(leafTemplate, request.spki, root)

        assertOpensslVerifies(root.certificate, [leaf])
        const seen = new X509Certificate(leaf.der)
        const issuer = new X509Certificate(root.certificate.der)
        assert.ok(seen.verify(issuer.publicKey))
        assert.ok(seen.checkIssued(issuer))
        assert.ok(seen.checkPrivateKey(keyPair.privateKey))
        assert.equal(seen.ca, false)
        assert.equal(seen.subject ?? '', '')
        assert.equal(seen.subjectAltName, `URI:${spiffeId}`)
        assert.deepEqual(seen.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
        assert.equal(seen.serialNumber.toLowerCase(), leaf.serialNumber)
        assert.equal(seen.validFromDate.getTime(), leaf.notBefore)
        assert.equal(seen.validToDate.getTime(), leaf.notAfter)
      })

  it('an SVID says of itself what was asked for', async () => {
    const leaf = signCertificate(leafTemplate, spkiOf((await generateKeyPair()).publicKey), await newRoot())
    assert.ok(leaf.spiffeId?.equals(spiffeId))
    assert.equal(leaf.isAuthority, false)
    assert.equal(leaf.notBefore, life.notBefore)
    assert.equal(leaf.notAfter, life.notAfter)
  })

  it('an SVID shows in OpenSSL the extensions of the X509-SVID specification, critical where it says so', async () => {
    const leaf = signCertificate(leafTemplate, spkiOf((await generateKeyPair()).publicKey), await newRoot())
    const text = openssl(['x509', '-noout', '-text', '-in', 'leaf.pem'], { 'leaf.pem': toPem([leaf]) }).toString()
    assert.match(text, /Key Usage: critical\n\s+Digital Signature\n/)
    assert.match(text, /Extended Key Usage: \n\s+TLS Web Server Authentication, TLS Web Client Authentication\n/)
    assert.match(text, /Basic Constraints: critical\n\s+CA:FALSE\n/)
    assert.match(text, /Subject Alternative Name: critical\n\s+URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/cart\n/)
    assert.match(text, /Subject Key Identifier: \n/)
    assert.match(text, /Authority Key Identifier: \n/)
  })

  it('a root shows in OpenSSL the extensions of a signing certificate, and verifies itself strictly', async () => {
    const root = await newRoot()
    const text = openssl(['x509', '-noout', '-text', '-in', 'root.pem'], { 'root.pem': toPem([root.certificate]) })
    assert.match(text.toString(), /Key Usage: critical\n\s+Certificate Sign, CRL Sign\n/)
    assert.match(text.toString(), /Basic Constraints: critical\n\s+CA:TRUE\n/)
    assert.match(text.toString(), /Subject Alternative Name: \n\s+URI:spiffe:\/\/cluster\.local\n/)
    assert.doesNotMatch(text.toString(), /Extended Key Usage/)
    assertOpensslVerifies(root.certificate, [root.certificate])
    assert.equal(root.certificate.isAuthority, true)
    assert.equal(root.certificate.spiffeId, undefined)
    assert.deepEqual(root.chain, [])
  })

  it('a chain through intermediates satisfies OpenSSL', async () => {
    const root = await newRoot()
    const upper = await intermediateOf(root, 'upper', 1)
    const lower = await intermediateOf(upper, 'lower')
    const leaf = signCertificate(leafTemplate, spkiOf((await generateKeyPair()).publicKey), lower)
    assertOpensslVerifies(root.certificate, [leaf, ...lower.chain])
  })

  it('an intermediate signs leaves only, unless its template says otherwise', async () => {
    const root = await newRoot()
    const lower = await intermediateOf(await intermediateOf(root, 'upper'), 'lower')
    const leaf = signCertificate(leafTemplate, spkiOf((await generateKeyPair()).publicKey), lower)
    assert.throws(() => assertOpensslVerifies(root.certificate, [leaf, ...lower.chain]), /path length constraint/)
  })

  it('key identifiers are the hash of the bits of the key, not of the structure around them', async () => {
    const root = await newRoot()
    const { publicKey } = await generateKeyPair()
    const point = spkiOf(publicKey).subarray(-65)
    const leaf = structureOf(signCertificate(leafTemplate, spkiOf(publicKey), root))
    assert.deepEqual(leaf.subjectKeyIdentifier, createHash('sha1').update(point).digest())
    assert.deepEqual(leaf.authorityKeyIdentifier, structureOf(root.certificate).subjectKeyIdentifier)
  })

  it('a serving certificate names hosts and needs no SPIFFE ID', async () => {
    const root = await newRoot()
    const template: CertificateTemplate = { ...life, usage: 'workload', dnsNames: ['webhook.test', 'localhost'] }
    const leaf = signCertificate(template, spkiOf((await generateKeyPair()).publicKey), root)
    assertOpensslVerifies(root.certificate, [leaf])
    assert.equal(new X509Certificate(leaf.der).checkHost('webhook.test'), 'webhook.test')
    assert.equal(leaf.spiffeId, undefined)
  })

  it('with a common name the alternative names are not critical', async () => {
    const root = await newRoot()
    const template = { ...leafTemplate, commonName: 'café' }
    const leaf = signCertificate(template, spkiOf((await generateKeyPair()).publicKey), root)
    assertOpensslVerifies(root.certificate, [leaf])
    assert.equal(new X509Certificate(leaf.der).subject, 'CN=café')
    const text = openssl(['x509', '-noout', '-text', '-in', 'leaf.pem'], { 'leaf.pem': toPem([leaf]) }).toString()
    assert.match(text, /Subject Alternative Name: \n/)
  })

  it('serial numbers are 16 bytes, positive and never the same', async () => {
    const root = await newRoot()
    const spki = spkiOf((await generateKeyPair()).publicKey)
    const serials = Array.from({ length: 200 }, () => signCertificate(leafTemplate, spki, root).serialNumber)
    assert.equal(new Set(serials).size, 200)
    for (const serial of serials) assert.match(serial, /^[4-7][0-9a-f]{31}$/)
  })

  for (const [text, year] of [
    ['the last second that UTCTime can tell', Date.UTC(2049, 11, 31, 23, 59, 59)],
    ['the first second of GeneralizedTime', Date.UTC(2050, 0, 1)],
    ['the last second of all', Date.UTC(9999, 11, 31, 23, 59, 59)]
  ] as const)
    it(`a validity that ends in ${text} reads the same in Node.js`, async () => {
      const root = await createRoot({ commonName: 'late', notBefore: now, notAfter: year })
      assert.equal(root.certificate.notAfter, year)
      assert.equal(new X509Certificate(root.certificate.der).validToDate.getTime(), year)
    })

  it('fractions of a second are cut off', async () => {
    const root = await createRoot({ commonName: 'odd', notBefore: now + 999, notAfter: now + DAY + 999 })
    assert.equal(root.certificate.notBefore, now)
    assert.equal(root.certificate.notAfter, now + DAY)
  })

  const contradictions: Record<string, CertificateTemplate> = {
    'a validity that ends before it begins': { ...leafTemplate, notAfter: life.notBefore - 1 },
    'a workload without any name': { ...life, usage: 'workload' },
    'a workload with a path length': { ...leafTemplate, pathLength: 0 },
    'a workload that names a trust domain': { ...leafTemplate, trustDomain },
    'an authority without a common name': { ...life, usage: 'authority' },
    'an authority with an empty common name': { ...life, usage: 'authority', commonName: '' },
    'an authority with the SPIFFE ID of a workload': { ...life, usage: 'authority', commonName: 'x', spiffeId },
    'an authority with a DNS name': { ...life, usage: 'authority', commonName: 'x', dnsNames: ['x'] },
    'a DNS name that is not ASCII': { ...life, usage: 'workload', dnsNames: ['café'] },
    'a time before 1950': { ...leafTemplate, notBefore: Date.UTC(1949, 0) },
    'a time that is not a number': { ...leafTemplate, notAfter: Number.NaN }
  }
  for (const [what, template] of Object.entries(contradictions))
    it(`${what} is a mistake of the caller`, async () => {
      const root = await newRoot()
      assert.throws(() => signCertificate(template, spkiOf(root.certificate.publicKey), root), TypeError)
    })
})
