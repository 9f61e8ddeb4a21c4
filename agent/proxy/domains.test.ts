import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { domainsOf } from './domains.ts'
import { newService } from './fixtures.test-support.ts'

describe('the names of a Service', () => {
  const service = newService({ namespace: 'shop', name: 'orders', addresses: ['10.96.0.7', 'fd00::7'] })

  it('are those of Kubernetes and its addresses, with the port', () => {
    assert.deepEqual(domainsOf(service, 8080, 'billing', 'cluster.local'), [
      'orders.shop:8080',
      'orders.shop.svc:8080',
      'orders.shop.svc.cluster.local:8080',
      '10.96.0.7:8080',
      '[fd00::7]:8080'
    ])
  })

  it('are also without it for port 80', () => {
    const domains = domainsOf(service, 80, 'billing', 'cluster.local')
    for (const domain of ['orders.shop', 'orders.shop:80', '10.96.0.7', '[fd00::7]'])
      assert.ok(domains.includes(domain))
  })

  it('are not without it for any other port, where it would be ambiguous', () => {
    assert.deepEqual(
      domainsOf(service, 443, 'billing', 'cluster.local').filter(domain => !domain.endsWith(':443')),
      []
    )
  })

  it('include the short one in its own namespace only', () => {
    assert.ok(domainsOf(service, 80, 'shop', 'cluster.local').includes('orders'))
    assert.ok(!domainsOf(service, 80, 'billing', 'cluster.local').includes('orders'))
  })
})
