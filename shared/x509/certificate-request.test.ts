import assert from 'node:assert/strict'
import { sign as cryptoSign, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, it } from 'node:test'
import { CountersignError } from '../errors/index.ts'
import { parseTrustDomain, SpiffeId } from '../identity/index.ts'
import {
  type Asn1,
  bitString,
  explicit,
  itemsOf,
  objectId,
  octetString,
  read,
  sequence,
  set,
  smallInteger,
  wholeBytesOf,
  write
} from './asn1.ts'
import { encodeExtensions } from './extension.ts'
import { createCertificateRequest, generateKeyPair, parseCertificateRequest, spkiOf } from './index.ts'
import { OID } from './oid.ts'
import { openssl, opensslRequest } from './openssl.test-support.ts'

const spiffeId = SpiffeId.workload(parseTrustDomain('cluster.local'), 'shop', 'cart')
const ecKey = await generateKeyPair()
const rsaKey = await generateKeyPair('rsa-2048')

const refused = (error: unknown): boolean => error instanceof CountersignError && error.code === 'ERR_CSR_REFUSED'

/** A request with the parts given, signed with ECDSA and SHA-256 whatever they are. */
function requestOf(parts: readonly Asn1[]): Buffer {
  const info = sequence(...parts)
  const signature = cryptoSign('sha256', write(info), ecKey.privateKey)
  return write(sequence(info, sequence(objectId(OID.ecdsaWithSha256)), bitString(signature)))
}

const version = smallInteger(0)
const spki = read(spkiOf(ecKey.publicKey))
const extension = { oid: OID.subjectAltName, critical: true, value: write(sequence()) }
const requestFor = (...attributes: Asn1[]): Buffer => requestOf([version, sequence(), spki, explicit(0, ...attributes)])
const extensionRequest = (...values: Asn1[]): Asn1 => sequence(objectId(OID.extensionRequest), set(...values))

describe('certificate requests', () => {
  for (const [algorithm, keyPair] of [
    ['ecdsa-p256', ecKey],
    ['rsa-2048', rsaKey]
  ] as const) {
    it(`one made here with ${algorithm} satisfies OpenSSL`, () => {
      const csr = createCertificateRequest(keyPair, spiffeId)
      const args = ['req', '-inform', 'DER', '-in', 'csr', '-noout', '-verify', '-text']
      const text = openssl(args, { csr }).toString()
      assert.match(text, /Subject: *\n/)
      assert.match(text, /Subject Alternative Name: critical\n\s+URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/cart\n/)
    })

    it(`one made here with ${algorithm} comes back as it was meant`, () => {
      const request = parseCertificateRequest(createCertificateRequest(keyPair, spiffeId))
      assert.equal(request.subjectIsEmpty, true)
      assert.equal(request.signatureValid, true)
      assert.deepEqual(request.subjectAltNames, [{ type: 'uri', value: spiffeId.toString() }])
      assert.deepEqual(request.extensions, [{ oid: OID.subjectAltName, critical: true }])
      assert.deepEqual(request.otherAttributes, [])
      assert.deepEqual(request.spki, spkiOf(keyPair.publicKey))
      assert.ok(request.publicKey.equals(keyPair.publicKey))
    })
  }

  it('everything that another program asks for is seen', () => {
    const names = 'URI:spiffe://a/b,DNS:x.test,IP:192.0.2.1,IP:2001:db8::1,email:a@b.test,otherName:1.2.3;UTF8:x'
    const { der } = opensslRequest(ecKey.privateKey, {
      subject: '/CN=somebody',
      extensions: [`subjectAltName=${names}`, 'basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign']
    })
    const request = parseCertificateRequest(der)
    assert.equal(request.subjectIsEmpty, false)
    assert.equal(request.signatureValid, true)
    assert.deepEqual(request.subjectAltNames, [
      { type: 'uri', value: 'spiffe://a/b' },
      { type: 'dns', value: 'x.test' },
      { type: 'ip', value: '192.0.2.1' },
      { type: 'ip', value: '2001:0db8:0000:0000:0000:0000:0000:0001' },
      { type: 'email', value: 'a@b.test' },
      { type: 'other', value: 'a00906022a03a0030c0178' }
    ])
    assert.deepEqual(request.extensions, [
      { oid: OID.subjectAltName, critical: false },
      { oid: OID.basicConstraints, critical: true },
      { oid: OID.keyUsage, critical: false }
    ])
  })

  it('attributes beside the extensions are seen', () => {
    const { der } = opensslRequest(ecKey.privateKey, { attributes: ['challengePassword = open sesame'] })
    assert.deepEqual(parseCertificateRequest(der).otherAttributes, ['1.2.840.113549.1.9.7'])
  })

  it('a request without the attributes field asks for nothing', () => {
    const request = parseCertificateRequest(requestOf([version, sequence(), spki]))
    assert.deepEqual(request.extensions, [])
    assert.equal(request.signatureValid, true)
  })

  it('no byte can be changed without the request being malformed or its signature wrong', () => {
    for (const keyPair of [ecKey, rsaKey]) {
      const csr = createCertificateRequest(keyPair, spiffeId)
      let accepted = 0
      for (let index = 0; index < csr.length; index++) {
        const tampered = Buffer.from(csr)
        tampered[index] = (tampered[index] ?? 0) ^ 0x01
        try {
          if (parseCertificateRequest(tampered).signatureValid) accepted++
        } catch (error) {
          assert.ok(refused(error), String(error))
        }
      }
      assert.equal(accepted, 0)
    }
  })

  const unsigned: Record<string, () => Buffer> = {
    'signed by another key': () => {
      const [info, ...rest] = itemsOf(read(createCertificateRequest(ecKey, spiffeId)), 'sequence', 'request')
      const [, , , ...attributes] = itemsOf(info, 'sequence', 'request')
      const other = read(spkiOf(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey))
      return write(sequence(sequence(version, sequence(), other, ...attributes), ...rest))
    },
    'signed with SHA-384': () => opensslRequest(ecKey.privateKey, { options: ['-sha384'] }).der,
    'signed with SHA-1': () => opensslRequest(rsaKey.privateKey, { options: ['-sha1'] }).der,
    'signed with RSASSA-PSS': () =>
      opensslRequest(rsaKey.privateKey, { options: ['-sigopt', 'rsa_padding_mode:pss'] }).der,
    'of a key on P-384, though with SHA-256': () =>
      opensslRequest(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey, { options: ['-sha256'] }).der,
    'of an Ed25519 key': () => opensslRequest(generateKeyPairSync('ed25519').privateKey).der
  }
  for (const [what, make] of Object.entries(unsigned))
    it(`a request ${what} is read, but its signature does not count`, () => {
      assert.equal(parseCertificateRequest(make()).signatureValid, false)
    })

  const malformed: Record<string, () => Uint8Array> = {
    'no bytes at all': () => Buffer.alloc(0),
    'a text': () => Buffer.from('-----BEGIN CERTIFICATE REQUEST-----'),
    'a cut request': () => createCertificateRequest(ecKey, spiffeId).subarray(0, -1),
    'a request with a byte after it': () => Buffer.concat([createCertificateRequest(ecKey, spiffeId), Buffer.of(0)]),
    'more than 16 KiB': () => requestFor(sequence(objectId('1.2.3'), set(octetString(Buffer.alloc(16_384))))),
    'a length that DER would write shorter': () => {
      const csr = createCertificateRequest(ecKey, spiffeId)
      return Buffer.concat([Buffer.of(0x30, 0x83, 0, csr.length - 3), csr.subarray(3)])
    },
    'an indefinite length': () => Buffer.of(0x30, 0x80, 0, 0),
    'nesting without end': () => Buffer.from(Array.from({ length: 8_000 }, () => [0x30, 0x80]).flat()),
    'a signature with bits that do not count': () => {
      for (;;) {
        const [info, algorithm, signature] = itemsOf(
          read(createCertificateRequest(ecKey, spiffeId)),
          'sequence',
          'request'
        )
        assert.ok(info && algorithm)
        const bytes = wholeBytesOf(signature, 'signature')
        if (((bytes.at(-1) ?? 1) & 1) === 0) return write(sequence(info, algorithm, bitString(bytes, 1)))
      }
    },
    'another version': () => requestOf([smallInteger(1), sequence(), spki, explicit(0)]),
    'a key that is none': () => requestOf([version, sequence(), sequence(), explicit(0)]),
    'two requests for extensions': () =>
      requestFor(extensionRequest(encodeExtensions([])), extensionRequest(encodeExtensions([extension]))),
    'a request for extensions of two values': () =>
      requestFor(extensionRequest(encodeExtensions([]), encodeExtensions([extension]))),
    'an extension that appears twice': () => requestFor(extensionRequest(encodeExtensions([extension, extension]))),
    'a name that is not ASCII': () => {
      const value = Buffer.from('3005860363c3a9', 'hex')
      return requestFor(extensionRequest(encodeExtensions([{ ...extension, value }])))
    },
    'an address of five bytes': () => {
      const value = Buffer.from('300787050102030405', 'hex')
      return requestFor(extensionRequest(encodeExtensions([{ ...extension, value }])))
    }
  }
  for (const [what, make] of Object.entries(malformed))
    it(`${what} is refused`, () => {
      assert.throws(() => parseCertificateRequest(make()), refused)
    })

  it('a key that cannot sign here is a mistake of the caller', () => {
    const keyPair: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync('ed25519')
    assert.throws(() => createCertificateRequest(keyPair, spiffeId), TypeError)
  })
})
