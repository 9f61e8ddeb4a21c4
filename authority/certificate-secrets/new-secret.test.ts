import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SECRET_KEYS, SECRET_TYPE } from '../../shared/certificate-secrets/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { SpiffeId } from '../../shared/identity/index.ts'
import { type KubeObject, OWN_LABELS } from '../../shared/kube/index.ts'
import { type Issuer, privateKeyFromPem } from '../../shared/x509/index.ts'
import { openssl } from '../../shared/x509/openssl.test-support.ts'
import { judge } from './judge.ts'
import { change, creation, type IssuedContent, issueContent } from './new-secret.ts'
import { presentSecret } from './present-secret.ts'
import {
  account,
  DAY,
  encoded,
  HOUR,
  intermediateOf,
  limits,
  NOW,
  rootUntil,
  SECOND,
  stored,
  surroundings,
  trustDomain,
  trusting
} from './secrets.test-support.ts'
import type { Trust, WantedCertificate } from './types.ts'

const root = await rootUntil(NOW + 1_000 * DAY)
const next = await rootUntil(NOW + 2_000 * DAY, 'next')
const orders = account()
const wanted: WantedCertificate = {
  spiffeId: SpiffeId.workload(trustDomain, 'shop', 'orders'),
  key: 'ecdsa-p256',
  dnsNames: [],
  lifetimeMs: DAY
}
const DNS_NAMES = ['*.db.shop', '*.db.shop.svc', 'db.shop', 'db.shop.svc.cluster.local']

const issue = (change: Partial<WantedCertificate> = {}, trust: Trust = trusting(root), now = NOW) =>
  issueContent({ ...wanted, ...change }, trust, limits, now)
const file = ({ data }: IssuedContent, key: keyof typeof SECRET_KEYS): string => data[SECRET_KEYS[key]] ?? ''

function opensslText(issued: IssuedContent, ...args: string[]): string {
  return openssl(['x509', '-noout', '-in', 'chain.pem', ...args], { 'chain.pem': file(issued, 'chain') }).toString()
}

/** As a program with nothing but these files does it. */
function assertVerifies({ data }: IssuedContent): void {
  const chain = ['-untrusted', SECRET_KEYS.chain, SECRET_KEYS.chain]
  for (const purpose of ['sslserver', 'sslclient'])
    openssl(['verify', '-x509_strict', '-purpose', purpose, '-CAfile', SECRET_KEYS.roots, ...chain], data)
}

const unusable = (words: RegExp) => (error: unknown) =>
  error instanceof CountersignError && error.code === 'ERR_ISSUER_UNUSABLE' && words.test(error.message)

describe('the content of a Secret', () => {
  const kinds: Readonly<Record<string, Partial<WantedCertificate>>> = {
    'on P-256': {},
    'of RSA-2048': { key: 'rsa-2048' },
    'on P-256 with DNS names': { dnsNames: DNS_NAMES },
    'of RSA-2048 with DNS names': { key: 'rsa-2048', dnsNames: DNS_NAMES }
  }
  const trusts: Readonly<Record<string, () => Promise<Trust>>> = {
    'a root': async () => trusting(root),
    'a root beside another': async () => trusting(root, next, root),
    'an intermediate': async () => trusting(await intermediateOf(root), root)
  }
  for (const [what, change] of Object.entries(kinds))
    for (const [whom, trust] of Object.entries(trusts))
      it(`is what OpenSSL verifies strictly: a key ${what}, signed by ${whom}`, async () => {
        const issued = await issue(change, await trust())
        assertVerifies(issued)
        const key = openssl(['pkey', '-in', SECRET_KEYS.key, '-pubout'], issued.data).toString()
        assert.equal(opensslText(issued, '-pubkey'), key)
        const { content } = presentSecret(stored(orders, issued))
        assert.ok('spiffeId' in content)
        assert.deepEqual([content.key, content.dnsNames], [change.key ?? 'ecdsa-p256', change.dnsNames ?? []])
      })

  it('has the names of the account and of its Services, and no others', async () => {
    const text = opensslText(await issue({ dnsNames: DNS_NAMES }), '-ext', 'subjectAltName', '-subject')
    const names = [...text.matchAll(/(URI|DNS):([^\s,]+)/g)].map(([, , name]) => name)
    assert.deepEqual(names, [wanted.spiffeId.toString(), ...DNS_NAMES])
    assert.match(text, /subject=\s*$/)
  })

  it('begins a minute ago, and lasts as long as is wanted', async () => {
    const { certificate } = await issue({ lifetimeMs: 7 * DAY })
    assert.deepEqual([certificate.notBefore, certificate.notAfter], [NOW - 60 * SECOND, NOW + 7 * DAY])
  })

  it('has a key in PKCS#8 that is another one each time', async () => {
    const [one, other] = [await issue(), await issue()]
    for (const issued of [one, other]) {
      assert.match(file(issued, 'key'), /^-----BEGIN PRIVATE KEY-----\n/)
      assert.equal(privateKeyFromPem(file(issued, 'key')).asymmetricKeyType, 'ec')
    }
    assert.notEqual(file(one, 'key'), file(other, 'key'))
  })

  it('ends with its issuer, and with what is above that', async () => {
    const short = await rootUntil(NOW + 3 * HOUR)
    const between = await intermediateOf(root, NOW + 2 * HOUR)
    assert.equal((await issue({}, trusting(short))).certificate.notAfter, NOW + 3 * HOUR)
    assert.equal((await issue({}, trusting(between, root))).certificate.notAfter, NOW + 2 * HOUR)
  })

  const refused: Readonly<Record<string, readonly [RegExp, () => Trust | Promise<Trust>]>> = {
    'an issuer that has expired': [/too soon/, async () => trusting(await rootUntil(NOW - SECOND))],
    'an issuer that ends before the shortest life does': [
      /too soon/,
      async () => trusting(await rootUntil(NOW + limits.shortestMs - SECOND))
    ],
    'an issuer that does not lead to what is trusted': [/does not lead to a root/, () => trusting(root, next)],
    'an intermediate whose way up is lost': [
      /does not lead to a root/,
      async () => trusting({ ...(await intermediateOf(root)), chain: [] }, root)
    ],
    'a key that is not that of its certificate': [
      /does not lead to a root/,
      () => trusting({ ...root, privateKey: next.privateKey } satisfies Issuer)
    ],
    'nobody who is trusted': [
      /root-cert\.pem is no list of certificates/,
      () => ({ issuer: root, bundle: { trustDomain, roots: [] } })
    ],
    'more roots than anybody reads': [
      /root-cert\.pem has more than 65536 characters/,
      () => trusting(root, ...Array.from({ length: 200 }, () => root))
    ]
  }
  for (const [what, [words, trust]] of Object.entries(refused))
    it(`is never signed by ${what}`, async () => {
      await assert.rejects(issue({}, await trust()), unusable(words))
    })

  it('is not signed by an issuer that has not begun', async () => {
    await assert.rejects(issue({}, trusting(root), NOW - 2 * HOUR), unusable(/not valid before/))
  })
})

describe('what is sent to the API server', () => {
  const owner = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    name: 'orders',
    uid: 'uid-of-orders',
    controller: true,
    blockOwnerDeletion: false
  }

  it('is a whole Secret where there is none', async () => {
    const issued = await issue()
    assert.deepEqual(creation(orders, issued), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'countersign.orders',
        namespace: 'shop',
        labels: OWN_LABELS,
        annotations: {
          'countersign.dev/spiffe-id': 'spiffe://cluster.local/ns/shop/sa/orders',
          'countersign.dev/expires-at': new Date(NOW + DAY).toISOString()
        },
        ownerReferences: [owner]
      },
      type: SECRET_TYPE,
      data: {
        'cert-chain.pem': encoded(file(issued, 'chain')),
        'key.pem': encoded(file(issued, 'key')),
        'root-cert.pem': encoded(file(issued, 'roots'))
      }
    })
  })

  it('is a patch of what is ours where there is one, for that version alone', async () => {
    const [before, issued] = [await issue(), await issue()]
    const { metadata, data } = creation(orders, issued) as KubeObject
    assert.deepEqual(change(orders, presentSecret(stored(orders, before)), issued), {
      metadata: {
        uid: 'uid-of-secret',
        resourceVersion: '7',
        labels: OWN_LABELS,
        annotations: (metadata as { annotations?: object }).annotations,
        ownerReferences: [owner]
      },
      data
    })
  })

  it('is the owner alone where only that is wrong', async () => {
    const secret = presentSecret(stored(orders, await issue()))
    assert.deepEqual(change(orders, secret, undefined), {
      metadata: { uid: 'uid-of-secret', resourceVersion: '7', ownerReferences: [owner] }
    })
  })

  it('is nothing for an account whose name has no room', async () => {
    const issued = await issue()
    assert.throws(() => creation(account({}, 'x'.repeat(242)), issued), TypeError)
  })

  it('is right once it is there', async () => {
    const trust = trusting(await intermediateOf(root), root, next)
    const subject = { account: orders, services: [], trust, now: NOW }
    const missing = judge({ ...subject, secret: undefined }, surroundings)
    assert.ok(missing.kind === 'write' && missing.reason === 'missing')
    const issued = await issueContent(missing.wanted, trust, limits, NOW)
    const secret = presentSecret(stored(orders, issued))
    const found = judge({ ...subject, secret }, surroundings)
    assert.deepEqual([found.kind, found.notes], ['right', []])
  })

  it('is judged again once somebody has touched it', async () => {
    const [issued, other] = [await issue(), await issue()]
    const reasonOf = (data: Readonly<Record<string, string>>): string => {
      const secret = presentSecret(stored(orders, { ...issued, data }))
      const found = judge({ account: orders, services: [], trust: trusting(root), now: NOW, secret }, surroundings)
      return found.kind === 'write' ? found.reason : found.kind
    }
    const { data } = issued
    assert.equal(reasonOf(data), 'right')
    for (const key of Object.values(SECRET_KEYS)) {
      assert.equal(reasonOf({ ...data, [key]: '' }), 'damaged')
      assert.equal(reasonOf({ ...data, [key]: (data[key] ?? '').slice(0, -20) }), 'damaged')
    }
    assert.equal(reasonOf({ ...data, 'key.pem': file(other, 'key') }), 'damaged')
    assert.equal(reasonOf({ ...data, 'cert-chain.pem': file(other, 'chain') }), 'damaged')
    assert.equal(reasonOf({ ...data, 'root-cert.pem': file(await issue({}, trusting(next)), 'roots') }), 'damaged')
    const both = file(await issue({}, trusting(root, root, next)), 'roots')
    assert.equal(reasonOf({ ...data, 'root-cert.pem': both }), 'roots')
    const swapped = await issue({ spiffeId: SpiffeId.workload(trustDomain, 'shop', 'other') })
    assert.equal(reasonOf(swapped.data), 'identity')
  })
})
