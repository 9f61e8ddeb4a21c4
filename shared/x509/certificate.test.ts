import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { CountersignError } from '../errors/index.ts'
import { type Asn1, explicit, itemsOf, read, sequence, smallInteger, timeText, write } from './asn1.ts'
import { structureOf } from './certificate.ts'
import { encodeExtensions, keyUsage } from './extension.ts'
import { createRoot, parseCertificate, privateKeyToPem } from './index.ts'
import { certificateWith, openssl } from './openssl.test-support.ts'

const root = await createRoot({ commonName: 'root', notBefore: Date.now() - 60_000, notAfter: Date.now() + 86_400_000 })
const { der } = root.certificate

const invalid = (error: unknown): boolean =>
  error instanceof CountersignError && error.code === 'ERR_CERTIFICATE_INVALID'

/** The root with some of what is signed replaced; its signature no longer fits, which parsing does not care for. */
function changed(change: (parts: Asn1[]) => Asn1[]): Buffer {
  const [toBeSigned, ...rest] = itemsOf(read(der), 'sequence', 'certificate')
  return write(sequence(sequence(...change([...itemsOf(toBeSigned, 'sequence', 'certificate')])), ...rest))
}

const replaced = (index: number, ...parts: Asn1[]): Buffer => changed(all => all.toSpliced(index, 1, ...parts))

describe('parsing certificates', () => {
  it('keeps its own copy of the bytes', () => {
    const bytes = Buffer.from(der)
    const certificate = parseCertificate(bytes)
    bytes.fill(0)
    assert.deepEqual(certificate.der, der)
    assert.ok(Object.isFrozen(certificate))
  })

  it('reads roots of other authorities: P-384 with SHA-384, and RSA of 3072 bits with SHA-512', () => {
    for (const [key, digest] of [
      [generateKeyPairSync('ec', { namedCurve: 'secp384r1' }), 'sha384'],
      [generateKeyPairSync('rsa', { modulusLength: 3072 }), 'sha512']
    ] as const) {
      const args = ['req', '-x509', '-new', '-key', 'key', '-subj', '/O=elsewhere', '-outform', 'DER', `-${digest}`]
      const certificate = parseCertificate(openssl(args, { key: privateKeyToPem(key.privateKey) }))
      assert.equal(certificate.isAuthority, true)
      assert.equal(structureOf(certificate).signatureAlgorithm?.digest, digest)
    }
  })

  const names: readonly (readonly [string, string, string | undefined])[] = [
    ['one SPIFFE ID of this mesh', 'URI:spiffe://a/ns/b/sa/c', 'spiffe://a/ns/b/sa/c'],
    ['one SPIFFE ID beside a DNS name', 'URI:spiffe://a/ns/b/sa/c,DNS:x', 'spiffe://a/ns/b/sa/c'],
    ['two SPIFFE IDs', 'URI:spiffe://a/ns/b/sa/c,URI:spiffe://a/ns/b/sa/d', undefined],
    ['a SPIFFE ID of another shape', 'URI:spiffe://a/some/where', undefined],
    ['the SPIFFE ID of a trust domain', 'URI:spiffe://a', undefined],
    ['a URI that is no SPIFFE ID', 'URI:https://a/ns/b/sa/c', undefined],
    ['a DNS name that looks like one', 'DNS:spiffe://a/ns/b/sa/c', undefined]
  ]
  for (const [what, altName, expected] of names)
    it(`with ${what}, spiffeId is ${expected ?? 'undefined'}`, () => {
      const certificate = certificateWith([`subjectAltName=critical,${altName}`], root, root.privateKey)
      assert.equal(certificate.spiffeId?.toString(), expected)
    })

  it('reads DNS names in their order, and no other names as such', () => {
    const altName = 'DNS:b.shop,URI:spiffe://a/ns/b/sa/c,DNS:*.a.shop,email:x@a.shop,IP:192.0.2.1'
    const certificate = certificateWith([`subjectAltName=critical,${altName}`], root, root.privateKey)
    assert.deepEqual(certificate.dnsNames, ['b.shop', '*.a.shop'])
    assert.ok(Object.isFrozen(certificate.dnsNames))
    assert.deepEqual(root.certificate.dnsNames, [])
  })

  it('recovers the structure of a certificate that was copied', () => {
    assert.deepEqual(structureOf({ ...root.certificate }), structureOf(root.certificate))
  })

  it('names critical extensions that it does not understand', () => {
    const constrained = certificateWith(['nameConstraints=critical,permitted;DNS:x'], root, root.privateKey)
    assert.deepEqual(structureOf(constrained).unknownCritical, ['2.5.29.30'])
  })

  const malformed: Record<string, () => Uint8Array> = {
    'no bytes at all': () => Buffer.alloc(0),
    'a cut certificate': () => der.subarray(0, -1),
    'a certificate with a byte after it': () => Buffer.concat([der, Buffer.of(0)]),
    'more than 16 KiB': () => Buffer.alloc(16_385),
    'a certificate of version 1': () => replaced(0),
    'a certificate of version 2': () => replaced(0, explicit(0, smallInteger(1))),
    'two different signature algorithms': () => replaced(2, sequence()),
    'a key that is none': () => replaced(6, sequence()),
    'an extension that appears twice': () =>
      replaced(7, explicit(3, encodeExtensions([keyUsage('workload'), keyUsage('authority')]))),
    'two lists of extensions': () => replaced(7, explicit(3, encodeExtensions([]), encodeExtensions([]))),
    'something after the extensions': () => changed(parts => [...parts, sequence()]),
    'a validity that does not end': () => replaced(4, sequence(timeText('utcTime', '260101000000Z'))),
    'a time without seconds': () =>
      replaced(4, sequence(timeText('utcTime', '2601010000Z'), timeText('utcTime', '270101000000Z'))),
    'a time that is not in UTC': () =>
      replaced(4, sequence(timeText('utcTime', '260101000000+0100'), timeText('utcTime', '270101000000Z'))),
    'the 31st of February': () =>
      replaced(4, sequence(timeText('utcTime', '260231000000Z'), timeText('utcTime', '270101000000Z'))),
    'a fraction of a second': () =>
      replaced(4, sequence(timeText('utcTime', '260101000000Z'), timeText('generalizedTime', '20600101000000.5Z')))
  }
  for (const [what, make] of Object.entries(malformed))
    it(`${what} is refused`, () => {
      assert.throws(() => parseCertificate(make()), invalid)
    })

  it('a certificate of a key that this room does not use is read all the same', () => {
    const { publicKey } = generateKeyPairSync('ed25519')
    const spki = read(publicKey.export({ type: 'spki', format: 'der' }))
    assert.equal(parseCertificate(replaced(6, spki)).publicKey.asymmetricKeyType, 'ed25519')
  })
})
