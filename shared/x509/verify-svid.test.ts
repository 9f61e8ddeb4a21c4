import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { CountersignError } from '../errors/index.ts'
import { parseTrustDomain, SpiffeId } from '../identity/index.ts'
import {
  type Certificate,
  type CertificateTemplate,
  createRoot,
  generateKeyPair,
  type Issuer,
  parseCertificate,
  parsePem,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  type TrustBundle,
  verifySvid
} from './index.ts'
import { certificateWith, openssl } from './openssl.test-support.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
// An hour from now: what OpenSSL makes is valid from the moment of its making.
const now = Math.floor(Date.now() / 1_000) * 1_000 + HOUR
const trustDomain = parseTrustDomain('cluster.local')
const spiffeId = SpiffeId.workload(trustDomain, 'shop', 'cart')
const ID = `subjectAltName=critical,URI:${spiffeId}`
const USAGE = 'keyUsage=critical,digitalSignature'
const long = { notBefore: now - 2 * HOUR, notAfter: now + 48 * HOUR }

const root = await createRoot({ ...long, commonName: 'root', trustDomain })
const rsaRoot = await createRoot({ ...long, commonName: 'root', trustDomain, algorithm: 'rsa-2048' })
const foreignRoot = await createRoot({ ...long, commonName: 'root' })
const upper = await under(root, { ...long, usage: 'authority', commonName: 'upper', pathLength: 1 })
const lower = await under(upper, { ...long, usage: 'authority', commonName: 'lower' })
const holder = await generateKeyPair()

async function under(issuer: Issuer, template: CertificateTemplate): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair()
  const certificate = signCertificate(template, spkiOf(publicKey), issuer)
  return { certificate, privateKey, chain: [certificate, ...issuer.chain] }
}

function leafOf(issuer: Issuer, change: Partial<CertificateTemplate> = {}): Certificate[] {
  const template: CertificateTemplate = { ...long, usage: 'workload', spiffeId, ...change }
  return [signCertificate(template, spkiOf(holder.publicKey), issuer), ...issuer.chain]
}

const madeByOpenssl = (extensions: string[], signer = root): Certificate[] => [
  certificateWith(extensions, signer, holder.privateKey)
]

const bundleOf = (...roots: Certificate[]): TrustBundle[] => [{ trustDomain, roots }]
const bundles = bundleOf(root.certificate)

/** An issuer that presents a certificate other than its own should be. */
const disguised = (issuer: Issuer, certificate: Certificate): Issuer => ({
  ...issuer,
  certificate,
  chain: [certificate]
})

const expiredIntermediate = await under(root, {
  usage: 'authority',
  commonName: 'expired',
  notBefore: now - HOUR,
  notAfter: now - MINUTE
})
const tooDeep = await under(lower, { ...long, usage: 'authority', commonName: 'too deep' })
const leafCertificate = leafOf(root, { commonName: 'posing' })[0] as Certificate
const leafOfDns = (): Certificate[] => [
  signCertificate({ ...long, usage: 'workload', dnsNames: ['x'] }, spkiOf(holder.publicKey), root)
]

describe('verifying SVIDs', () => {
  const accepted: Record<string, () => [Certificate[], TrustBundle[]]> = {
    'a leaf that the root signed': () => [leafOf(root), bundles],
    'a leaf under an RSA root': () => [leafOf(rsaRoot), bundleOf(rsaRoot.certificate)],
    'a leaf under two intermediates': () => [leafOf(lower), bundles],
    'a chain that brings the root along': () => [[...leafOf(lower), root.certificate], bundles],
    'an intermediate that is itself trusted': () => [leafOf(lower), bundleOf(upper.certificate)],
    'a root among others of the same name': () => [leafOf(root), bundleOf(rsaRoot.certificate, root.certificate)],
    'roots of one trust domain in two bundles': () => [
      leafOf(root),
      [...bundleOf(rsaRoot.certificate), ...bundleOf(root.certificate)]
    ],
    'a leaf that OpenSSL signed': () => [madeByOpenssl([ID, USAGE, 'basicConstraints=CA:FALSE']), bundles],
    'a leaf that has a DNS name as well': () => [leafOf(root, { dnsNames: ['cart.shop'] }), bundles],
    'a leaf on its first second': () => [leafOf(root, { notBefore: now }), bundles],
    'a leaf on its last second': () => [leafOf(root, { notAfter: now }), bundles]
  }
  for (const [what, make] of Object.entries(accepted))
    it(`${what} is accepted`, () => {
      assert.ok(verifySvid(...make(), now).equals(spiffeId))
    })

  it('a root that was renewed with the same key is found beside its expired predecessor', () => {
    const renew = (days: number): Certificate => {
      const args = ['req', '-x509', '-new', '-key', 'key', '-subj', '/CN=plugged in', '-days', `${days}`]
      const [certificate] = parsePem(openssl(args, { key: privateKeyToPem(root.privateKey) }).toString())
      assert.ok(certificate)
      return certificate
    }
    const [short, longer] = [renew(1), renew(9)]
    const issuer: Issuer = { certificate: longer, privateKey: root.privateKey, chain: [] }
    const later = now + 47 * HOUR
    const leaf = leafOf(issuer, { notAfter: later + HOUR })
    assert.ok(verifySvid(leaf, bundleOf(short, longer), later).equals(spiffeId))
    assert.throws(() => verifySvid(leaf, bundleOf(short), later), /the root expired/)
  })

  const refused: Record<string, () => [Certificate[], TrustBundle[], RegExp, number?]> = {
    'an empty chain': () => [[], bundles, /0 certificates/],
    'a chain of eleven': () => {
      const chain = leafOf(lower)
      return [[...chain, ...Array.from({ length: 8 }, () => upper.certificate)], bundles, /11 certificates/]
    },
    'a leaf of an unknown root': () => [leafOf(foreignRoot), bundles, /does not lead to a root/],
    'a leaf of a trust domain without a bundle': () => [
      leafOf(root, { spiffeId: SpiffeId.workload(parseTrustDomain('elsewhere'), 'shop', 'cart') }),
      bundles,
      /no trust bundle for trust domain elsewhere/
    ],
    'a leaf of one trust domain signed by the root of another, both trusted': () => [
      leafOf(foreignRoot),
      [...bundles, { trustDomain: parseTrustDomain('elsewhere'), roots: [foreignRoot.certificate] }],
      /does not lead to a root/
    ],
    'an empty bundle': () => [leafOf(root), bundleOf(), /no trust bundle/],
    'a leaf with no URI name': () => [leafOfDns(), bundles, /has 0 URI names/],
    'a leaf with two URI names': () => [
      madeByOpenssl([`${ID},URI:spiffe://cluster.local/ns/shop/sa/admin`, USAGE]),
      bundles,
      /has 2 URI names/
    ],
    'a leaf whose name is of another shape': () => [
      madeByOpenssl(['subjectAltName=critical,URI:spiffe://cluster.local/x', USAGE]),
      bundles,
      /not a SPIFFE ID of a shape/
    ],
    'a leaf that is an authority': () => [
      madeByOpenssl([ID, USAGE, 'basicConstraints=critical,CA:TRUE']),
      bundles,
      /the leaf is a certificate authority/
    ],
    'a leaf that may sign certificates': () => [
      madeByOpenssl([ID, 'keyUsage=critical,digitalSignature,keyCertSign']),
      bundles,
      /may sign certificates or revocation lists/
    ],
    'a leaf that may sign revocation lists': () => [
      madeByOpenssl([ID, 'keyUsage=critical,digitalSignature,cRLSign']),
      bundles,
      /may sign certificates or revocation lists/
    ],
    'a leaf without key usage': () => [madeByOpenssl([ID]), bundles, /no key usage/],
    'a leaf that may not sign at all': () => [
      madeByOpenssl([ID, 'keyUsage=critical,keyEncipherment']),
      bundles,
      /lacks digitalSignature/
    ],
    'a leaf with a critical extension that nobody knows': () => [
      madeByOpenssl([ID, USAGE, '1.2.3.4=critical,DER:0500']),
      bundles,
      /the leaf has critical extension 1\.2\.3\.4/
    ],
    'a leaf signed with SHA-1': () => [
      [certificateWith([ID, USAGE], rsaRoot, holder.privateKey, { digest: 'sha1' })],
      bundleOf(rsaRoot.certificate),
      /does not lead to a root/
    ],
    'the root itself': () => [[root.certificate], bundles, /has 1 URI names|certificate authority/],
    'a leaf that is not valid yet': () => [
      leafOf(root, { notBefore: now + 1_000 }),
      bundles,
      /the leaf is not valid before/
    ],
    'a leaf that expired': () => [leafOf(root, { notAfter: now - 1_000 }), bundles, /the leaf expired/],
    'an intermediate that expired': () => [
      leafOf(expiredIntermediate, { notAfter: now + HOUR }),
      bundles,
      /intermediate 1 expired/
    ],
    'a root that expired': () => [
      leafOf(root, { notAfter: now + 96 * HOUR }),
      bundles,
      /the root expired/,
      now + 72 * HOUR
    ],
    'a root that is not valid yet': () => [
      leafOf(root, { notBefore: now - 9 * HOUR }),
      bundles,
      /the root is not valid before/,
      now - 4 * HOUR
    ],
    'a chain without its intermediates': () => [leafOf(lower).slice(0, 1), bundles, /does not lead to a root/],
    'a chain that lacks one intermediate': () => [
      leafOf(lower).toSpliced(1, 1),
      bundles,
      /intermediate 1 did not sign/
    ],
    'a chain in the wrong order': () => {
      const [leaf, first, second] = leafOf(lower)
      return [[leaf, second, first] as Certificate[], bundles, /intermediate 1 did not sign/]
    },
    'an intermediate that is not an authority': () => {
      const posing: Issuer = { certificate: leafCertificate, privateKey: holder.privateKey, chain: [leafCertificate] }
      return [leafOf(posing), bundles, /intermediate 1 is not a certificate authority/]
    },
    'an intermediate that may not sign certificates': () => {
      const extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,digitalSignature']
      const certificate = certificateWith(extensions, root, upper.privateKey, { subject: '/CN=upper' })
      return [leafOf(disguised(upper, certificate)), bundles, /intermediate 1 may not sign certificates/]
    },
    'an intermediate with name constraints': () => {
      const extensions = ['basicConstraints=critical,CA:TRUE', 'nameConstraints=critical,permitted;URI:elsewhere']
      const certificate = certificateWith(extensions, root, upper.privateKey, { subject: '/CN=upper' })
      return [leafOf(disguised(upper, certificate)), bundles, /intermediate 1 has critical extension 2\.5\.29\.30/]
    },
    'an intermediate below one that allows none': () => [leafOf(tooDeep), bundles, /allows 0 intermediates below it/],
    'an issuer of the right name and another key': () => {
      const impostor: Issuer = { ...root, privateKey: holder.privateKey }
      return [leafOf(impostor), bundles, /does not lead to a root/]
    }
  }
  for (const [what, make] of Object.entries(refused))
    it(`${what} is refused`, () => {
      const [chain, trusted, message, at = now] = make()
      assert.throws(
        () => verifySvid(chain, trusted, at),
        (error: unknown) => {
          assert.ok(error instanceof CountersignError)
          assert.equal(error.code, 'ERR_CERTIFICATE_INVALID')
          assert.match(error.message, message)
          return true
        }
      )
    })

  it('no byte of a leaf can be changed', () => {
    const [leaf] = leafOf(root)
    assert.ok(leaf)
    let accepted = 0
    for (let index = 0; index < leaf.der.length; index++) {
      const tampered = Buffer.from(leaf.der)
      tampered[index] = (tampered[index] ?? 0) ^ 0x01
      try {
        verifySvid([parseCertificate(tampered)], bundles, now)
        accepted++
      } catch (error) {
        assert.ok(error instanceof CountersignError, String(error))
      }
    }
    assert.equal(accepted, 0)
  })

  it('a leaf of a key on P-384 under an RSA root is accepted: other meshes have such', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
    const leaf = certificateWith([ID, USAGE], rsaRoot, privateKey, { digest: 'sha512' })
    assert.ok(verifySvid([leaf], bundleOf(rsaRoot.certificate), now).equals(spiffeId))
  })
})
