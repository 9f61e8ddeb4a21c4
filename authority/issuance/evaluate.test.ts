import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, it } from 'node:test'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import {
  type CertificateRequest,
  createCertificateRequest,
  generateKeyPair,
  parseCertificateRequest,
  spkiOf
} from '../../shared/x509/index.ts'
import { evaluate, type RequestRefusal } from './index.ts'

const trustDomain = parseTrustDomain('cluster.local')
const expected = SpiffeId.workload(trustDomain, 'shop', 'cart')
const keyPair = await generateKeyPair()
const good = parseCertificateRequest(createCertificateRequest(keyPair, expected))

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).publicKey
const rsa = (modulusLength: number, publicExponent = 65_537): KeyObject =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey
const withKey = (publicKey: KeyObject): Partial<CertificateRequest> => ({ publicKey, spki: spkiOf(publicKey) })

/** The same point on the same curve, written in another way by OpenSSL. */
function encoded(...options: string[]): Partial<CertificateRequest> {
  const input = spkiOf(ec('prime256v1'))
  const args = ['ec', '-pubin', '-inform', 'DER', '-pubout', '-outform', 'DER', ...options]
  const spki = execFileSync('openssl', args, { input, stdio: ['pipe', 'pipe', 'pipe'] })
  return { spki, publicKey: createPublicKey({ key: spki, type: 'spki', format: 'der' }) }
}

const uri = (value: string) => ({ type: 'uri' as const, value })
const named = (...subjectAltNames: CertificateRequest['subjectAltNames']): Partial<CertificateRequest> => ({
  subjectAltNames
})
const extension = (oid: string): Partial<CertificateRequest> => ({
  extensions: [...good.extensions, { oid, critical: true }]
})

describe('evaluating requests', () => {
  const accepted: Record<string, () => Partial<CertificateRequest>> = {
    'as agents make it': () => ({}),
    'with a key of RSA-2048': () => withKey(rsa(2_048)),
    'with a key of RSA-3072': () => withKey(rsa(3_072)),
    'with a key of RSA-4096': () => withKey(rsa(4_096)),
    'whose name is not critical': () => ({ extensions: [{ oid: '2.5.29.17', critical: false }] })
  }
  for (const [what, change] of Object.entries(accepted))
    it(`a request ${what} may be signed`, () => {
      assert.equal(evaluate({ ...good, ...change() }, expected), undefined)
    })

  const refused: Record<string, [RequestRefusal, () => Partial<CertificateRequest>]> = {
    'with a wrong signature': ['signature', () => ({ signatureValid: false })],
    'with a key on P-224': ['key', () => withKey(ec('secp224r1'))],
    'with a key on P-384': ['key', () => withKey(ec('secp384r1'))],
    'with a key on P-521': ['key', () => withKey(ec('secp521r1'))],
    'with a key on secp256k1': ['key', () => withKey(ec('secp256k1'))],
    'with a compressed point': ['key', () => encoded('-conv_form', 'compressed')],
    'with a hybrid point': ['key', () => encoded('-conv_form', 'hybrid')],
    'with a curve that is spelt out': ['key', () => encoded('-param_enc', 'explicit')],
    'with a key of RSA-1024': ['key', () => withKey(rsa(1_024))],
    'with a key of RSA-2047': ['key', () => withKey(rsa(2_047))],
    'with a key of RSA-4104': ['key', () => withKey(rsa(4_104))],
    'with the exponent 3': ['key', () => withKey(rsa(2_048, 3))],
    'with a key for RSASSA-PSS alone': [
      'key',
      () => withKey(generateKeyPairSync('rsa-pss', { modulusLength: 2_048 }).publicKey)
    ],
    'with an Ed25519 key': ['key', () => withKey(generateKeyPairSync('ed25519').publicKey)],
    'with an X25519 key': ['key', () => withKey(generateKeyPairSync('x25519').publicKey)],
    'with a subject': ['subject', () => ({ subjectIsEmpty: false })],
    'with a challenge password': ['attribute', () => ({ otherAttributes: ['1.2.840.113549.1.9.7'] })],
    'that wants to be an authority': ['extension', () => extension('2.5.29.19')],
    'with a key usage': ['extension', () => extension('2.5.29.15')],
    'with an extended key usage': ['extension', () => extension('2.5.29.37')],
    'with an extension that nobody knows': ['extension', () => extension('1.2.3.4')],
    'without any extension': ['no_name', () => ({ extensions: [], subjectAltNames: [] })],
    'with an empty list of names': ['no_name', () => named()],
    'for another account': ['other_name', () => named(uri('spiffe://cluster.local/ns/shop/sa/admin'))],
    'for another namespace': ['other_name', () => named(uri('spiffe://cluster.local/ns/bank/sa/cart'))],
    'for another trust domain': ['other_name', () => named(uri('spiffe://elsewhere/ns/shop/sa/cart'))],
    'for the agent of a node': ['other_name', () => named(uri('spiffe://cluster.local/countersign/agent/node-1'))],
    'for the authority': ['other_name', () => named(uri('spiffe://cluster.local/countersign/authority'))],
    'for the trust domain itself': ['other_name', () => named(uri('spiffe://cluster.local'))],
    'for the right name in capitals': ['other_name', () => named(uri('SPIFFE://cluster.local/ns/shop/sa/cart'))],
    'for the right name and a slash': ['other_name', () => named(uri(`${expected}/`))],
    'for the right name and a zero byte': ['other_name', () => named(uri(`${expected}\0`))],
    'for the right name percent-encoded': ['other_name', () => named(uri('spiffe://cluster.local/ns/shop/sa/%63art'))],
    'for the right name as a DNS name': ['other_name', () => named({ type: 'dns', value: expected.toString() })],
    'for an address': ['other_name', () => named({ type: 'ip', value: '192.0.2.1' })],
    'for another URI as well': ['extra_name', () => named(...good.subjectAltNames, uri('spiffe://cluster.local/x'))],
    'for the right name twice': ['extra_name', () => named(...good.subjectAltNames, ...good.subjectAltNames)],
    'for a DNS name as well': ['extra_name', () => named(...good.subjectAltNames, { type: 'dns', value: 'cart.shop' })],
    'for an address as well': ['extra_name', () => named(...good.subjectAltNames, { type: 'ip', value: '192.0.2.1' })],
    'for a mail address as well': ['extra_name', () => named(...good.subjectAltNames, { type: 'email', value: 'a@b' })],
    'for another kind of name as well': [
      'extra_name',
      () => named(...good.subjectAltNames, { type: 'other', value: 'a0' })
    ]
  }
  for (const [what, [reason, change]] of Object.entries(refused))
    it(`a request ${what} is refused: ${reason}`, () => {
      assert.equal(evaluate({ ...good, ...change() }, expected), reason)
    })

  it('what is refused is what was asked for, not who is expected: the same request passes for its own name', () => {
    const admin = SpiffeId.workload(trustDomain, 'shop', 'admin')
    const request = parseCertificateRequest(createCertificateRequest(keyPair, admin))
    assert.equal(evaluate(request, admin), undefined)
    assert.equal(evaluate(request, expected), 'other_name')
  })
})
