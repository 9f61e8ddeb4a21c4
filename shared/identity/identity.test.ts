import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { parseTrustDomain, SpiffeId } from './index.ts'

const domain = parseTrustDomain('cluster.local')

describe('SpiffeId', () => {
  it('names a workload, an agent and the authority in ways that cannot be confused', () => {
    assert.equal(String(SpiffeId.workload(domain, 'shop', 'orders')), 'spiffe://cluster.local/ns/shop/sa/orders')
    assert.equal(String(SpiffeId.agent(domain, 'node-1')), 'spiffe://cluster.local/countersign/agent/node-1')
    assert.equal(String(SpiffeId.authority(domain)), 'spiffe://cluster.local/countersign/authority')
  })

  it('reads back what it writes', () => {
    const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?$/)
    void fc.assert(
      fc.property(name, name, name, (trustDomain, namespace, account) => {
        const id = SpiffeId.workload(parseTrustDomain(trustDomain), namespace, account)
        const read = SpiffeId.parse(id.toString())
        assert.ok(read.equals(id))
        assert.deepEqual(read.subject, { kind: 'workload', namespace, serviceAccount: account })
      })
    )
  })

  it('never throws anything but ERR_SPIFFE_ID_INVALID', () => {
    void fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map(tail => `spiffe://${tail}`)
        ),
        text => {
          try {
            SpiffeId.parse(text)
          } catch (thrown) {
            assert.equal((thrown as { code?: string }).code, 'ERR_SPIFFE_ID_INVALID')
          }
        }
      )
    )
  })

  const refused: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['another scheme', 'https://cluster.local/ns/a/sa/b'],
    ['an upper-case scheme', 'SPIFFE://cluster.local/ns/a/sa/b'],
    ['no trust domain', 'spiffe:///ns/a/sa/b'],
    ['an upper-case trust domain', 'spiffe://Cluster.local/ns/a/sa/b'],
    ['a port', 'spiffe://cluster.local:8080/ns/a/sa/b'],
    ['a user', 'spiffe://me@cluster.local/ns/a/sa/b'],
    ['no path', 'spiffe://cluster.local'],
    ['a trailing slash', 'spiffe://cluster.local/ns/a/sa/b/'],
    ['an empty segment', 'spiffe://cluster.local/ns//sa/b'],
    ['a dot segment', 'spiffe://cluster.local/ns/./sa/b'],
    ['a parent segment', 'spiffe://cluster.local/ns/../sa/b'],
    ['percent-encoding', 'spiffe://cluster.local/ns/a%2fb/sa/c'],
    ['a query', 'spiffe://cluster.local/ns/a/sa/b?x=1'],
    ['a fragment', 'spiffe://cluster.local/ns/a/sa/b#x'],
    ['a path of another shape', 'spiffe://cluster.local/workload/a'],
    ['a path that goes on', 'spiffe://cluster.local/ns/a/sa/b/c'],
    ['a line break', 'spiffe://cluster.local/ns/a/sa/b\n'],
    ['more than 2048 bytes', `spiffe://cluster.local/ns/a/sa/${'b'.repeat(2048)}`]
  ]
  for (const [what, text] of refused)
    it(`refuses ${what}`, () => {
      assert.throws(() => SpiffeId.parse(text), { code: 'ERR_SPIFFE_ID_INVALID' })
    })

  it('refuses names that would change the shape of the path', () => {
    for (const name of ['', '.', '..', 'a/b', 'a%2f', 'a b', 'A'])
      assert.throws(() => SpiffeId.workload(domain, 'ns', name), { code: 'ERR_SPIFFE_ID_INVALID' })
  })
})
