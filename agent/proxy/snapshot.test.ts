import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { Issuer } from '../../shared/x509/index.ts'
import { type Resource, type Snapshot, TYPE } from '../../shared/xds/index.ts'
import { resourceJson } from '../../test/envoy/index.ts'
import {
  EVERY_PROTOCOL,
  manyServices,
  newEndpoints,
  newRoot,
  newService,
  newState,
  newSvid,
  newWorkload,
  spiffeId
} from './fixtures.test-support.ts'
import { composeSnapshot, type Interception, type MeshState, type PodState } from './index.ts'
import type { PodSvid } from './secrets.ts'

const REDIRECT: Interception = { kind: 'redirect' }
const EXPLICIT: Interception = { kind: 'explicit', applicationAddress: '127.83.1.1' }

const resourcesOf = (snapshot: Snapshot): Map<string, Resource> =>
  new Map(
    [...snapshot.types].flatMap(([type, map]) => [...map].map(([name, resource]) => [`${type} ${name}`, resource]))
  )

/** Names of what the second has and the first has not, as objects. */
const encodedFor = (before: Snapshot, after: Snapshot): string[] => {
  const known = new Set(resourcesOf(before).values())
  return [...resourcesOf(after)]
    .filter(([, resource]) => !known.has(resource))
    .map(([key]) => key.split('.').at(-1) ?? '')
}

describe('a snapshot', () => {
  let root: Issuer
  let svid: PodSvid
  let state: MeshState
  before(async () => {
    root = await newRoot()
    svid = await newSvid(root, spiffeId('shop', 'orders'))
    state = newState({ roots: [root], ...manyServices(20, 'ipv4') })
  })

  const podOf = (interception: Interception, uid = 'pod', namespace = 'shop'): PodState => ({
    workload: newWorkload({
      uid,
      namespace,
      ports: EVERY_PROTOCOL.map((protocol, i) => ({ number: 8080 + i, protocol }))
    }),
    svid,
    interception,
    probes: []
  })

  it('answers every type that a proxy asks for', () => {
    for (const interception of [REDIRECT, EXPLICIT])
      assert.deepEqual(
        new Set(composeSnapshot(state, podOf(interception)).types.keys()),
        new Set([TYPE.secret, TYPE.cluster, TYPE.endpoint, TYPE.extensionConfig, TYPE.listener, TYPE.route])
      )
  })

  it('opens the readiness port among the listeners, and nowhere before', () => {
    for (const interception of [REDIRECT, EXPLICIT])
      assert.ok(composeSnapshot(state, podOf(interception)).types.get(TYPE.listener)?.has('readiness'))
  })

  it('is withheld while the mesh has no root of its own', () => {
    const rootless = newState({ roots: [], foreign: { 'other.test': root } })
    assert.equal(composeSnapshot(rootless, podOf(REDIRECT)).types.size, 0)
  })

  it('is withheld but for secrets while the pod has no address', () => {
    const pod = podOf(REDIRECT)
    const types = composeSnapshot(state, { ...pod, workload: newWorkload({ addresses: [] }) }).types
    assert.deepEqual([...types.keys()], [TYPE.secret])
  })

  it('is refused where the application would be at the address of its own proxy', () => {
    const interception: Interception = { kind: 'explicit', applicationAddress: '10.1.0.7' }
    assert.throws(() => composeSnapshot(state, podOf(interception)), {
      name: 'TypeError',
      message: "application address 10.1.0.7 is the pod's own: expected another one"
    })
  })

  it('lets no configuration source give up waiting', () => {
    for (const interception of [REDIRECT, EXPLICIT]) {
      const text = JSON.stringify(
        [...resourcesOf(composeSnapshot(state, podOf(interception))).values()].map(resourceJson)
      )
      const sources = text.match(/"ads":\{\}.{0,80}/g) ?? []
      assert.ok(sources.length > 10)
      for (const source of sources) assert.match(source, /"initialFetchTimeout":"0s"/)
    }
  })

  it('names only clusters, routes and secrets that it holds', () => {
    for (const interception of [REDIRECT, EXPLICIT]) {
      const snapshot = composeSnapshot(state, podOf(interception))
      const names = (type: string): Set<string> => new Set(snapshot.types.get(type)?.keys())
      // In the bootstrap file.
      const clusters = names(TYPE.cluster).add('admin')
      for (const text of [...resourcesOf(snapshot).values()].map(resource => JSON.stringify(resourceJson(resource)))) {
        for (const [, name = ''] of text.matchAll(/"cluster":"([^"%]+)"/g)) assert.ok(clusters.has(name), name)
        for (const [, name = ''] of text.matchAll(/"name":"([^"]+)","sdsConfig"/g))
          assert.ok(names(TYPE.secret).has(name), name)
        for (const [, name = ''] of text.matchAll(/"routeConfigName":"([^"]+)"/g))
          assert.ok(names(TYPE.route).has(name), name)
      }
      for (const name of names(TYPE.endpoint)) assert.ok(clusters.has(name), name)
    }
  })

  it('costs fifty redirected pods one encoding', () => {
    const [first, ...others] = Array.from({ length: 50 }, (_, n) => composeSnapshot(state, podOf(REDIRECT, `pod-${n}`)))
    assert.ok(first)
    // The listener of incoming connections follows from the pod's own ports.
    for (const other of others) assert.deepEqual(encodedFor(first, other), ['Listener inbound'])
  })

  it('costs pods of another namespace their routes only', () => {
    const first = composeSnapshot(state, podOf(EXPLICIT, 'a'))
    const same = composeSnapshot(state, podOf(EXPLICIT, 'b'))
    const other = composeSnapshot(state, podOf(EXPLICIT, 'c', 'billing'))
    const routesIn = (snapshot: Snapshot): string[] =>
      encodedFor(first, snapshot).filter(name => name.startsWith('RouteConfiguration'))
    assert.deepEqual(routesIn(same), [])
    assert.deepEqual(routesIn(other), ['RouteConfiguration outbound/billing'])
  })

  it('is the same objects for the same state and pod', () => {
    for (const interception of [REDIRECT, EXPLICIT]) {
      const pod = podOf(interception)
      assert.deepEqual(encodedFor(composeSnapshot(state, pod), composeSnapshot(state, pod)), [])
    }
  })

  it('costs a change of endpoints these endpoints and the listeners that know their addresses', () => {
    const pod = podOf(REDIRECT)
    const endpoints = newEndpoints([
      { servicePort: 80, endpoints: [{ address: '10.9.9.9', port: 1, mutualTls: true }] }
    ])
    const changed = { ...state, endpoints: new Map([...state.endpoints, ['shop/service-0', endpoints]]) }
    assert.deepEqual(encodedFor(composeSnapshot(state, pod), composeSnapshot(changed, pod)), [
      ...[80, 81, 82, 83, 84].map(port => `ClusterLoadAssignment outbound/shop/service-0/${port}`),
      'Listener outbound',
      'Listener outbound-undeclared'
    ])
  })

  it('costs a change of identities a secret in content, and no cluster or listener', () => {
    const pod = podOf(REDIRECT)
    const service = state.services.get('shop/service-0')
    assert.ok(service)
    const changed = { ...service, identities: [spiffeId('shop', 'new').toString()] }
    const after = composeSnapshot(
      { ...state, services: new Map([...state.services, ['shop/service-0', changed]]) },
      pod
    )
    const before = resourcesOf(composeSnapshot(state, pod))
    const different = [...resourcesOf(after)].filter(([key, { version }]) => before.get(key)?.version !== version)
    assert.deepEqual(
      different.map(([, { name }]) => name),
      ['peers/shop/service-0']
    )
  })

  it('costs a new Service its own resources and the listener that leads to it', () => {
    const pod = podOf(REDIRECT)
    const service = newService({
      name: 'new',
      addresses: ['10.97.0.1'],
      ports: [{ number: 80, name: 'x', protocol: 2 }]
    })
    const after = composeSnapshot({ ...state, services: new Map([...state.services, ['shop/new', service]]) }, pod)
    assert.deepEqual(encodedFor(composeSnapshot(state, pod), after).sort(), [
      'Cluster outbound/shop/new/80',
      'ClusterLoadAssignment outbound/shop/new/80',
      'Listener outbound',
      'Listener outbound-undeclared',
      'Secret peers/shop/new',
      'TypedExtensionConfig outbound/shop/new/80/http'
    ])
  })

  it('costs a new certificate its own two names', async () => {
    const pod = podOf(EXPLICIT)
    const next = { ...pod, svid: await newSvid(root, spiffeId('shop', 'orders')) }
    assert.deepEqual(encodedFor(composeSnapshot(state, pod), composeSnapshot(state, next)), [
      'Secret default',
      'test/ns/shop/sa/orders'
    ])
  })
})
