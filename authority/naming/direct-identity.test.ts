// What Services tell clients of the addresses of endpoints themselves.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import { inventoryOf, type Manifest, pod, policy, service, settings, slice } from './mesh.test-support.ts'
import { meshState } from './mesh-state.ts'
import { ProblemList } from './problem.ts'

const stateOf = (...manifests: readonly Manifest[]) =>
  meshState(inventoryOf(manifests), { ...settings, trustDomain: parseTrustDomain('mesh.test') })

/** `endpoints 10.0.0.1 orders`, one line for each place behind a Service. */
function told(state: ReturnType<typeof stateOf>, name = 'shop/orders'): readonly string[] {
  const ports = state.endpoints.get(name)?.ports ?? []
  return ports.flatMap(({ endpoints, unready, untrusted }) =>
    Object.entries({ endpoints, unready, untrusted }).flatMap(([list, places]) =>
      places.map(({ address, mutualTls, identity, foreign }) => {
        const owner =
          identity === '' ? (foreign ? 'foreign' : 'unknown') : identity.replace('spiffe://mesh.test/ns/', '')
        return `${list} ${address} ${mutualTls ? owner : 'plaintext'}`
      })
    )
  )
}

const guest = pod({ name: 'guest', account: 'guest', address: '10.0.0.2' })
const away = pod({ name: 'away', namespace: 'billing', account: 'away', address: '10.0.0.3', labels: {} })

describe('a Service tells of the address of an endpoint', () => {
  it('the identity of the pod that holds it, and not those of the others', () => {
    const state = stateOf(service(), pod(), guest)
    assert.deepEqual(told(state), ['endpoints 10.0.0.1 shop/sa/orders', 'endpoints 10.0.0.2 shop/sa/guest'])
    assert.deepEqual(state.services.get('shop/orders')?.podIdentities, [
      'spiffe://mesh.test/ns/shop/sa/guest',
      'spiffe://mesh.test/ns/shop/sa/orders'
    ])
  })

  it('the same of a pod that is not ready', () => {
    assert.deepEqual(told(stateOf(service(), pod({ ready: false }))), ['unready 10.0.0.1 shop/sa/orders'])
  })

  it('nothing where the pod is one of another namespace, which is reported', () => {
    const state = stateOf(service({ selector: {} }), slice([{ addresses: ['10.0.0.3'] }]), away)
    assert.deepEqual(told(state), ['endpoints 10.0.0.3 foreign'])
    const message = state.services.get('shop/orders')
    assert.deepEqual(message?.identities, ['spiffe://mesh.test/ns/billing/sa/away'])
    assert.deepEqual(message?.podIdentities, [])
    assert.deepEqual(
      state.problems.map(({ kind, object }) => `${kind} ${object}`),
      ['endpoint-across-namespaces Service shop/orders']
    )
  })

  it('nothing of such a pod that is not ready, or that a pinned headless Service does not trust', () => {
    const notReady = slice([{ addresses: ['10.0.0.3'], conditions: { ready: false } }])
    assert.deepEqual(told(stateOf(service({ selector: {} }), notReady, away)), [])
    const pinned = service({ selector: {}, clusterIP: 'None', pin: 'orders' })
    assert.deepEqual(told(stateOf(pinned, slice([{ addresses: ['10.0.0.3'] }]), away)), [])
  })

  it('nothing of places without mutual TLS', () => {
    const disabled = policy({ namespace: 'shop', mode: 'DISABLE' })
    assert.deepEqual(told(stateOf(service(), pod(), disabled)), ['endpoints 10.0.0.1 plaintext'])
    assert.deepEqual(told(stateOf(service(), pod({ proxy: false }))), ['endpoints 10.0.0.1 plaintext'])
  })

  it('no identity that it does not trust, and none of accounts that no pod has', () => {
    const state = stateOf(service({ clusterIP: 'None', pin: 'orders,other' }), pod(), guest)
    assert.deepEqual(told(state), ['endpoints 10.0.0.1 shop/sa/orders', 'untrusted 10.0.0.2 shop/sa/guest'])
    assert.deepEqual(state.services.get('shop/orders')?.podIdentities, ['spiffe://mesh.test/ns/shop/sa/orders'])
  })

  it('only identities that it names as those of its pods', () => {
    const state = stateOf(
      service(),
      service({ name: 'pinned', pin: 'guest' }),
      pod(),
      guest,
      pod({ name: 'c', address: '10.0.0.9', ready: false })
    )
    for (const [name, { ports }] of state.endpoints)
      for (const { identity } of ports.flatMap(({ endpoints, unready }) => [...endpoints, ...unready]))
        assert.ok(state.services.get(name)?.podIdentities.includes(identity), `${name} ${identity}`)
  })
})

describe('problems of one kind and object', () => {
  it('are twenty at most, and then how many more', () => {
    const problems = new ProblemList()
    for (let index = 0; index < 1_000; index++)
      problems.add('endpoint-contradictory', 'Service shop/a', `number ${index}`)
    problems.add('endpoint-unknown', 'Service shop/a', 'another kind')
    problems.add('endpoint-contradictory', 'Service shop/b', 'another object')
    const list = problems.list()
    assert.equal(list.length, 23)
    assert.ok(list.some(({ message }) => message === '980 more problems of this kind are not listed'))
    assert.equal(problems.all().length, 1_002)
  })

  it('are all listed where there are twenty', () => {
    const problems = new ProblemList()
    for (let index = 0; index < 20; index++) problems.add('endpoint-contradictory', 'Service shop/a', `number ${index}`)
    assert.equal(problems.list().length, 20)
  })
})
