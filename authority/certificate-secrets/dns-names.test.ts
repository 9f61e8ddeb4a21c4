import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SpiffeId } from '../../shared/identity/index.ts'
import { generateKeyPair, signCertificate, spkiOf } from '../../shared/x509/index.ts'
import { dnsNames, MOST_DNS_NAMES } from './dns-names.ts'
import { DAY, NOW, rootUntil, trustDomain } from './secrets.test-support.ts'
import type { RunService } from './types.ts'

const account = { namespace: 'shop', name: 'orders' }
const service = (name: string, change: Partial<RunService> = {}): RunService => ({
  namespace: 'shop',
  name,
  headless: false,
  accounts: ['shop/orders'],
  ...change
})
const names = (services: readonly RunService[], present: readonly string[] = [], domain = 'cluster.local') =>
  dnsNames(services, account, present, domain).names

describe('the DNS names of an account', () => {
  it('are those of the Services that it runs, sorted', () => {
    assert.deepEqual(names([service('b'), service('a', { namespace: 'front' })]), [
      'a.front',
      'a.front.svc',
      'a.front.svc.cluster.local',
      'b.shop',
      'b.shop.svc',
      'b.shop.svc.cluster.local'
    ])
  })

  it('are each once', () => assert.equal(names([service('a'), service('a')]).length, 3))

  it('end with the domain of the cluster in lower case', () => {
    assert.equal(names([service('a')], [], 'Mesh.Example')[2], 'a.shop.svc.mesh.example')
  })

  it('are also those of the pods behind a headless Service', () => {
    assert.deepEqual(names([service('db', { headless: true })]), [
      '*.db.shop',
      '*.db.shop.svc',
      '*.db.shop.svc.cluster.local',
      'db.shop',
      'db.shop.svc',
      'db.shop.svc.cluster.local'
    ])
  })

  it('never cover a whole other namespace by way of a namespace called svc', () => {
    const found = names([service('bank', { namespace: 'svc', headless: true })])
    assert.deepEqual(found, [
      '*.bank.svc.svc',
      '*.bank.svc.svc.cluster.local',
      'bank.svc',
      'bank.svc.svc',
      'bank.svc.svc.cluster.local'
    ])
  })

  const none: Readonly<Record<string, RunService>> = {
    'a Service that another account runs': service('a', { accounts: ['shop/other'] }),
    'a Service of the account of that name in another namespace': service('a', { accounts: ['bank/orders'] }),
    'a Service that nobody runs': service('a', { accounts: [] }),
    'a Service whose name is none in the DNS': service('a_b'),
    'a Service with a name too long for the DNS': service('a'.repeat(64))
  }
  for (const [what, one] of Object.entries(none)) it(`are none for ${what}`, () => assert.deepEqual(names([one]), []))

  describe('of a Service that nobody runs at the moment', () => {
    const idle = [service('db', { accounts: [], headless: true })]

    it('stay as far as they are there', () => {
      assert.deepEqual(names(idle, ['*.db.shop', 'db.shop']), ['*.db.shop', 'db.shop'])
    })

    it('are gone with the Service', () => assert.deepEqual(names([], ['db.shop']), []))

    it('are gone when another account runs it', () => {
      assert.deepEqual(names([service('db', { accounts: ['shop/thief'] })], ['db.shop']), [])
    })

    it('stay beside those of a Service that it runs', () => {
      assert.deepEqual(names([...idle, service('a')], ['db.shop']), [
        'a.shop',
        'a.shop.svc',
        'a.shop.svc.cluster.local',
        'db.shop'
      ])
    })
  })

  it('are at most a hundred, the first ones, and the others are counted', () => {
    const many = Array.from({ length: 40 }, (_, index) => service(`s${index}`))
    const found = dnsNames(many, account, [], 'cluster.local')
    assert.deepEqual([found.names.length, found.left], [MOST_DNS_NAMES, 20])
    assert.deepEqual(found.names, dnsNames(many.toReversed(), account, [], 'cluster.local').names)
  })

  it('always fit into a certificate, with an RSA key and under the longest name', async () => {
    const root = await rootUntil(NOW + DAY, 'x'.repeat(64))
    const { publicKey } = await generateKeyPair('rsa-2048')
    const spiffeId = SpiffeId.workload(trustDomain, 'n'.repeat(63), 'a'.repeat(241))
    const many = Array.from({ length: 100 }, (_, index) =>
      service(`s${index}`.padEnd(63, 'x'), { namespace: 'n'.repeat(63), headless: true })
    )
    const { names: dns, left } = dnsNames(many, account, [], `${'d'.repeat(50)}.${'e'.repeat(50)}`)
    assert.ok(left > 0 && dns.length < MOST_DNS_NAMES)
    const life = { notBefore: NOW, notAfter: NOW + DAY }
    const made = signCertificate({ usage: 'workload', spiffeId, dnsNames: dns, ...life }, spkiOf(publicKey), root)
    assert.deepEqual(made.dnsNames, dns)
  })

  it('are sorted, without repetition, and only of what is its own or was', () => {
    const label = fc.constantFrom('a', 'b', 'svc', 'db')
    const services = fc.array(
      fc.record({
        namespace: label,
        name: label,
        headless: fc.boolean(),
        accounts: fc.subarray(['shop/orders', 'shop/other'])
      })
    )
    fc.assert(
      fc.property(services, all => {
        const idle = all.filter(({ accounts }) => accounts.length === 0)
        const before = dnsNames(
          idle.map(one => ({ ...one, accounts: ['shop/orders'] })),
          account,
          [],
          'c.l'
        ).names
        const found = names(all, before, 'c.l')
        assert.deepEqual(found, [...new Set(found)].sort())
        assert.deepEqual(names(all, found, 'c.l'), found, 'what is there is not changed again')
      })
    )
  })
})
