import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { describe, it } from 'node:test'
import { CountersignError } from '../errors/index.ts'
import { createRoot, generateKeyPair, parsePem, privateKeyFromPem, privateKeyToPem, toPem } from './index.ts'
import { openssl } from './openssl.test-support.ts'

const life = { notBefore: Date.UTC(2026, 0), notAfter: Date.UTC(2027, 0) }
const one = (await createRoot({ ...life, commonName: 'one' })).certificate
const two = (await createRoot({ ...life, commonName: 'two' })).certificate
const invalid = (error: unknown): boolean =>
  error instanceof CountersignError && error.code === 'ERR_CERTIFICATE_INVALID'

describe('PEM', () => {
  it('certificates come back in order', () => {
    const back = parsePem(toPem([one, two]))
    assert.deepEqual(
      back.map(({ der }) => der),
      [one.der, two.der]
    )
  })

  it('what is written here is written as OpenSSL writes it', () => {
    const pem = toPem([one])
    assert.equal(openssl(['x509', '-in', 'one.pem'], { 'one.pem': pem }).toString(), pem)
  })

  it('text around blocks, other blocks and Windows line ends are passed over', () => {
    const text = `# roots\n-----BEGIN CRL-----\nAAAA\n-----END CRL-----\n${toPem([one])}more\n${toPem([two])}`
    assert.equal(parsePem(text.replaceAll('\n', '\r\n')).length, 2)
  })

  const refused: Record<string, string> = {
    'an empty text': '',
    'a text without certificates': 'hello',
    'a block that is cut off after a whole one': toPem([one, two]).slice(0, -40),
    'a block that begins inside another': toPem([one]).replace('\n', '\n-----BEGIN CERTIFICATE-----\n'),
    'a block that is not base64': '-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n',
    'a block that is not a certificate': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'more than 1 MiB': toPem([one]) + ' '.repeat(1_048_576)
  }
  for (const [what, text] of Object.entries(refused))
    it(`${what} is refused`, () => {
      assert.throws(() => parsePem(text), invalid)
    })

  for (const algorithm of ['ecdsa-p256', 'rsa-2048'] as const)
    it(`a key of ${algorithm} is written as PKCS#8 and comes back`, async () => {
      const { privateKey, publicKey } = await generateKeyPair(algorithm)
      const pem = privateKeyToPem(privateKey)
      assert.match(pem, /^-----BEGIN PRIVATE KEY-----\n/)
      assert.ok(createPublicKey(privateKeyFromPem(pem)).equals(publicKey))
    })

  it('keys in SEC1 and PKCS#1 are read', async () => {
    const ec = (await generateKeyPair()).privateKey
    const rsa = (await generateKeyPair('rsa-2048')).privateKey
    assert.ok(privateKeyFromPem(ec.export({ type: 'sec1', format: 'pem' }).toString()).equals(ec))
    assert.ok(privateKeyFromPem(rsa.export({ type: 'pkcs1', format: 'pem' }).toString()).equals(rsa))
  })

  it('an encrypted key, a certificate and nothing at all are no private keys', async () => {
    const key = createPrivateKey(privateKeyToPem((await generateKeyPair()).privateKey))
    const encrypted = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()
    for (const text of [encrypted, toPem([one]), '']) assert.throws(() => privateKeyFromPem(text), invalid)
  })

  it('the error for a damaged key does not repeat it', async () => {
    const pem = privateKeyToPem((await generateKeyPair()).privateKey)
    const damaged = pem.replace('MIGH', 'MIGX')
    assert.throws(
      () => privateKeyFromPem(damaged),
      (error: unknown) => invalid(error) && !JSON.stringify(error).includes(damaged.slice(40, 60))
    )
  })
})
