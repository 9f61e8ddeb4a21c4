import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { SECRET_KEYS, SECRET_TYPE } from '../../shared/certificate-secrets/index.ts'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import type { KubeObject } from '../../shared/kube/index.ts'
import { createRoot, parsePem, privateKeyToPem, toPem } from '../../shared/x509/index.ts'
import { certificateWith } from '../../shared/x509/openssl.test-support.ts'
import { presentSecret, rootsDigest } from './present-secret.ts'
import { rootDigest } from './roots-digest.ts'
import { DAY, encoded, filesWith, HOUR, intermediateOf, NOW, rootUntil, trustDomain } from './secrets.test-support.ts'
import type { Content } from './types.ts'

const root = await rootUntil(NOW + 1_000 * DAY)
const other = await rootUntil(NOW + 1_000 * DAY, 'other')
const namesake = await rootUntil(NOW + 1_000 * DAY)
const good = filesWith(root)

type Files = typeof good

const secret = (files: Partial<Files>, more: Readonly<Record<string, unknown>> = {}): KubeObject => {
  const data = Object.entries(files).map(([file, text]) => [SECRET_KEYS[file as keyof Files], encoded(text)])
  return withData(Object.fromEntries(data), more)
}

const withData = (data: unknown, more: Readonly<Record<string, unknown>> = {}): KubeObject => ({
  metadata: { namespace: 'shop', name: 'countersign.orders', uid: 'u-1', resourceVersion: '7' },
  type: SECRET_TYPE,
  data,
  ...more
})

function contentIn(object: KubeObject): Content {
  const { content } = presentSecret(object)
  if ('problem' in content) assert.fail(content.problem)
  return content
}

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength })

describe('a Secret that is there', () => {
  it('is the facts of its certificate', () => {
    const [leaf] = parsePem(good.chain)
    assert.deepEqual(presentSecret(secret(good)), {
      namespace: 'shop',
      name: 'countersign.orders',
      uid: 'u-1',
      resourceVersion: '7',
      type: SECRET_TYPE,
      immutable: false,
      owners: [],
      content: {
        spiffeId: 'spiffe://cluster.local/ns/shop/sa/orders',
        dnsNames: [],
        key: 'ecdsa-p256',
        serialNumber: leaf?.serialNumber,
        notBefore: NOW - 60_000,
        notAfter: NOW + DAY,
        roots: rootsDigest({ trustDomain, roots: [root.certificate] }),
        anchors: [rootDigest(root.certificate)]
      }
    })
  })

  it('may have an RSA key, DNS names in any order, an intermediate, and other entries', async () => {
    const between = await intermediateOf(root)
    const files = filesWith(between, { dnsNames: ['b.shop', 'a.shop'] }, rsa(2_048))
    const roots = toPem([root.certificate])
    const object = secret({ ...files, roots })
    const content = contentIn({ ...object, data: { ...(object['data'] as object), 'notes.txt': 'aGk=' } })
    assert.deepEqual([content.key, content.dnsNames], ['rsa-2048', ['a.shop', 'b.shop']])
  })

  it('names its roots, in whatever order they are, and to which of them its chain leads', () => {
    const roots = [other.certificate, root.certificate]
    const content = contentIn(secret({ ...good, roots: toPem(roots) }))
    assert.equal(content.roots, rootsDigest({ trustDomain, roots: roots.toReversed() }))
    assert.notEqual(content.roots, rootsDigest({ trustDomain, roots: [root.certificate] }))
    assert.deepEqual(content.anchors, [rootDigest(root.certificate)])
  })

  it('is as it was after its certificate has expired, and before it begins', () => {
    const past = filesWith(root, { notBefore: NOW - HOUR, notAfter: NOW - HOUR / 2 })
    const future = filesWith(root, { notBefore: NOW + HOUR, notAfter: NOW + DAY })
    assert.equal(contentIn(secret(past)).notAfter, NOW - HOUR / 2)
    assert.equal(contentIn(secret(future)).notBefore, NOW + HOUR)
  })

  it('is as it was where its root ends before it does', async () => {
    const short = await rootUntil(NOW + HOUR)
    assert.equal(contentIn(secret(filesWith(short))).notAfter, NOW + DAY)
  })

  it('may be of another trust domain: that is judged later', async () => {
    const elsewhere = parseTrustDomain('elsewhere')
    const life = { notBefore: NOW - HOUR, notAfter: NOW + DAY }
    const foreign = await createRoot({ ...life, commonName: 'foreign', trustDomain: elsewhere })
    const files = filesWith(foreign, { spiffeId: SpiffeId.workload(elsewhere, 'shop', 'orders') })
    assert.equal(contentIn(secret(files)).spiffeId, 'spiffe://elsewhere/ns/shop/sa/orders')
  })

  it('tells that it is immutable, and which service accounts own it', () => {
    const owner = { apiVersion: 'v1', kind: 'ServiceAccount', name: 'orders', uid: 'u-2' }
    const references = [owner, { ...owner, kind: 'Pod', uid: 'u-3' }, { ...owner, uid: 4 }, 'x', null]
    const object = secret(good, { immutable: true })
    const found = presentSecret({ ...object, metadata: { ...object.metadata, ownerReferences: references } as never })
    assert.deepEqual([found.immutable, found.owners], [true, ['u-2']])
  })

  it('keeps nothing of a key, whatever is looked at', () => {
    const pems = [good.key, ec('secp384r1').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()]
    for (const key of pems)
      for (const more of [{}, { type: 'Opaque' }]) {
        const found = presentSecret(secret({ ...good, key }, more))
        const shown = `${JSON.stringify(found)}${inspect(found, { depth: null, showHidden: true })}`
        for (const line of key.split('\n').filter(text => text.length > 8 && !text.startsWith('--')))
          assert.ok(!shown.includes(line) && !shown.includes(encoded(line).slice(0, 24)))
        assert.ok(!/PRIVATE|KeyObject/.test(shown))
      }
  })
})

describe('a Secret that is damaged', () => {
  const belongs = /^key\.pem is not the key of/
  const noKey = /^key\.pem is no unencrypted key in PKCS#8$/
  const noChain = /^cert-chain\.pem is no list of certificates$/
  const leads = /^cert-chain\.pem does not lead to a root in root-cert\.pem$/
  const notOne = /^the first certificate in cert-chain\.pem is not that of one SPIFFE ID/
  const kind = /^the first certificate in cert-chain\.pem is for another kind of key$/
  const lines = (text: string): string[] => text.split('\n')
  const signed = (extensions: readonly string[]): Partial<Files> => {
    const { privateKey } = ec('prime256v1')
    const leaf = certificateWith(extensions, root, privateKey)
    return { ...good, chain: toPem([leaf]), key: privateKeyToPem(privateKey) }
  }
  const NAME = 'subjectAltName=critical,URI:spiffe://cluster.local/ns/shop/sa/orders'
  const USAGE = 'keyUsage=critical,digitalSignature'

  it('is not one that another program has signed in the same way', () => {
    const [leaf] = parsePem(signed([NAME, USAGE]).chain ?? '')
    assert.equal(contentIn(secret(signed([NAME, USAGE]))).spiffeId, leaf?.spiffeId?.toString())
  })

  const wrong: Readonly<Record<string, readonly [RegExp, () => Partial<Files>]>> = {
    'nothing in it': [/^cert-chain\.pem is missing$/, () => ({})],
    'an empty chain': [/^cert-chain\.pem is missing$/, () => ({ ...good, chain: '' })],
    'no key': [/^key\.pem is missing$/, () => ({ chain: good.chain, roots: good.roots })],
    'no roots': [/^root-cert\.pem is missing$/, () => ({ chain: good.chain, key: good.key })],
    'a chain that is no PEM': [noChain, () => ({ ...good, chain: 'hello' })],
    'a chain that is cut off': [noChain, () => ({ ...good, chain: good.chain.slice(0, -40) })],
    'a chain of which a byte is missing': [noChain, () => ({ ...good, chain: good.chain.replace('M', '') })],
    'a chain with something behind it': [noChain, () => ({ ...good, chain: `${good.chain}\n` })],
    'a chain with a key in it': [noChain, () => ({ ...good, chain: good.chain + good.key })],
    'a chain with Windows line ends': [noChain, () => ({ ...good, chain: good.chain.replaceAll('\n', '\r\n') })],
    'roots that are none': [/^root-cert\.pem is no list/, () => ({ ...good, roots: good.key })],
    'roots that are cut off': [/^root-cert\.pem is no list/, () => ({ ...good, roots: good.roots.slice(0, 200) })],
    'a chain of more than 64 KiB': [
      /^cert-chain\.pem has more than 65536 characters$/,
      () => ({ ...good, chain: good.chain.repeat(200) })
    ],
    'roots of more than a megabyte': [
      /^root-cert\.pem has more than 65536 characters$/,
      () => ({ ...good, roots: good.roots.repeat(3_000) })
    ],
    'a key of more than 64 KiB': [/^key\.pem has more than/, () => ({ ...good, key: `${' '.repeat(65_536)}x` })],
    'a key that is none': [noKey, () => ({ ...good, key: good.roots })],
    'a key that is cut off': [noKey, () => ({ ...good, key: good.key.slice(0, 100) })],
    'two keys': [noKey, () => ({ ...good, key: good.key + good.key })],
    'a key in SEC1': [
      noKey,
      () => ({ ...good, key: createPrivateKey(good.key).export({ type: 'sec1', format: 'pem' }).toString() })
    ],
    'an encrypted key': [
      noKey,
      () => {
        const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } as const
        return { ...good, key: createPrivateKey(good.key).export(options).toString() }
      }
    ],
    'a public key': [
      noKey,
      () => ({ ...good, key: ec('prime256v1').publicKey.export({ type: 'spki', format: 'pem' }).toString() })
    ],
    'the key of another certificate': [belongs, () => ({ ...good, key: filesWith(root).key })],
    'a key on another curve': [belongs, () => ({ ...good, key: privateKeyToPem(ec('secp384r1').privateKey) })],
    'a key of another kind': [belongs, () => ({ ...good, key: privateKeyToPem(rsa(2_048).privateKey) })],
    'a key that cannot sign': [
      belongs,
      () => ({ ...good, key: privateKeyToPem(generateKeyPairSync('x25519').privateKey) })
    ],
    'a private half beside the public half of another key': [
      /^key\.pem is/,
      () => ({ ...good, key: privateKeyToPem(mixed(good.key)) })
    ],
    'a certificate for a key on P-384': [kind, () => filesWith(root, {}, ec('secp384r1'))],
    'a certificate for a key of RSA-3072': [kind, () => filesWith(root, {}, rsa(3_072))],
    'the chain of another Secret': [belongs, () => ({ ...good, chain: filesWith(root).chain })],
    'the roots of another mesh': [leads, () => ({ ...good, roots: toPem([other.certificate]) })],
    'its own leaf as a root': [leads, () => ({ ...good, roots: good.chain })],
    'a root of the same name with another key': [leads, () => ({ ...good, roots: toPem([namesake.certificate]) })],
    'a leaf that is not the first': [
      belongs,
      () => ({ ...good, chain: toPem([root.certificate, ...parsePem(good.chain)]) })
    ],
    'the root as its leaf': [notOne, () => ({ ...good, chain: good.roots, key: privateKeyToPem(root.privateKey) })],
    'a certificate without a SPIFFE ID': [notOne, () => signed(['subjectAltName=DNS:orders.shop', USAGE])],
    'a certificate of two SPIFFE IDs': [notOne, () => signed([`${NAME},URI:spiffe://cluster.local/ns/a/sa/b`, USAGE])],
    'a certificate of a SPIFFE ID and another URI': [notOne, () => signed([`${NAME},URI:https://a`, USAGE])],
    'a certificate of a SPIFFE ID of another shape': [
      notOne,
      () => signed(['subjectAltName=URI:spiffe://cluster.local/a/b', USAGE])
    ],
    'a certificate without key usage': [leads, () => signed([NAME])],
    'a certificate for another use': [leads, () => signed([NAME, 'keyUsage=critical,keyEncipherment'])],
    'a certificate that may sign certificates': [
      leads,
      () => signed([NAME, 'basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'])
    ],
    'a certificate with a critical extension that nobody knows': [
      leads,
      () => signed([NAME, USAGE, '1.2.3.4=critical,ASN1:NULL'])
    ]
  }
  for (const [what, [words, files]] of Object.entries(wrong))
    it(`says so: ${what}`, () => {
      const { content } = presentSecret(secret(files()))
      assert.match('problem' in content ? content.problem : 'none', words)
    })

  it('says so: an intermediate is missing, or there are more than anybody needs', async () => {
    const between = await intermediateOf(root)
    const files = { ...filesWith(between), roots: good.roots }
    const [leaf] = parsePem(files.chain)
    assert.ok(leaf !== undefined)
    assert.match(JSON.stringify(presentSecret(secret(files)).content), /spiffeId/)
    const longer = [leaf, ...Array.from({ length: 11 }, () => between.certificate)]
    for (const chain of [[leaf], longer]) {
      const { content } = presentSecret(secret({ ...files, chain: toPem(chain) }))
      assert.match('problem' in content ? content.problem : 'none', leads)
    }
  })

  const data: Readonly<Record<string, unknown>> = {
    'no data': undefined,
    'data that is a text': 'x',
    'data that is a list': [],
    'data of other keys': { 'tls.crt': 'aGk=' },
    'data of numbers': { 'cert-chain.pem': 1, 'key.pem': 2, 'root-cert.pem': 3 },
    'data that is not base64': { 'cert-chain.pem': '%%%', 'key.pem': '%%%', 'root-cert.pem': '%%%' },
    'data that is not UTF-8': { 'cert-chain.pem': '/////w==', 'key.pem': '/////w==', 'root-cert.pem': '/////w==' }
  }
  for (const [what, value] of Object.entries(data))
    it(`says so: ${what}`, () => assert.ok('problem' in presentSecret(withData(value)).content))

  it('has words for it that have nothing of the Secret in them', () => {
    const marked = 'MARK'.repeat(8)
    const changed = fc.record({
      file: fc.constantFrom('chain', 'key', 'roots'),
      line: fc.nat({ max: 30 }),
      to: fc.constantFrom('', marked, `${marked}==`, '-----BEGIN CERTIFICATE-----', '-----END PRIVATE KEY-----')
    })
    fc.assert(
      fc.property(changed, ({ file, line, to }) => {
        const text = lines(good[file as keyof Files])
        const damaged = text.with(line % text.length, to).join('\n')
        if (damaged === good[file as keyof Files]) return
        const { content } = presentSecret(secret({ ...good, [file]: damaged }))
        assert.ok('problem' in content)
        assert.doesNotMatch(content.problem, /MARK|MII|MIG|BEGIN/)
      }),
      { numRuns: 60 }
    )
  })

  it('is told by nothing but words, whatever anybody makes of an object', () => {
    fc.assert(
      fc.property(fc.object(), fc.anything(), (object, metadata) => {
        const found = presentSecret({ ...object, metadata } as never)
        assert.ok('problem' in found.content)
      })
    )
  })
})

/** PKCS#8 with the public half of this key and the private half of another one. */
function mixed(pem: string): ReturnType<typeof createPrivateKey> {
  const jwk = createPrivateKey(pem).export({ format: 'jwk' })
  const { d } = ec('prime256v1').privateKey.export({ format: 'jwk' })
  return createPrivateKey({ key: { ...jwk, d } as never, format: 'jwk' })
}
