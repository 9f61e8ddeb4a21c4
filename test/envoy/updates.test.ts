// What changes while connections are open: what is new holds at once, and what it does not concern goes on.

import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  newEndpoints,
  newRoot,
  newService,
  newState,
  newSvid,
  spiffeId
} from '../../agent/proxy/fixtures.test-support.ts'
import type { MeshState } from '../../agent/proxy/index.ts'
import { MutualTlsMode, Protocol, type Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type Conversation, callThrough, open, openTls, tunnelThrough } from './calls.ts'
import { eventually } from './index.ts'
import { startTwoPods, type TwoPods } from './two-pods.ts'

describe('a running proxy', () => {
  let pods: TwoPods
  let conversations: Conversation[]
  beforeEach(async () => {
    conversations = []
    pods = await startTwoPods('127.83.4')
  })
  afterEach(async () => {
    for (const conversation of conversations) conversation.close()
    await pods?.stop()
  })

  const kept = (conversation: Conversation): Conversation => {
    conversations.push(conversation)
    return conversation
  }
  const tunnel = async (service: string, offer: 'tcp' | 'permissiveTcp' = 'tcp'): Promise<Conversation> =>
    kept(await tunnelThrough(pods.client.address, `${service}:${pods.servicePort(offer)}`))
  const assertWorks = async (conversation: Conversation, word: string): Promise<void> => {
    conversation.write(word)
    await conversation.received(word)
  }
  const withService = (state: MeshState, service: Service): MeshState => ({
    ...state,
    services: new Map([...state.services, [`${service.namespace}/${service.name}`, service]])
  })
  /** The SHA-256 of the client's certificate, as the application is told. */
  const clientHash = async (): Promise<string | undefined> => {
    const { body } = await callThrough(pods.client.address, 'http://orders/', { headers: { connection: 'close' } })
    return /Hash=([0-9a-f]{64})/.exec(body)?.[1]
  }

  it('shows a new certificate to new connections, and keeps the old ones', async () => {
    const before = await tunnel('orders')
    await assertWorks(before, 'before')
    const svid = await newSvid(pods.root, spiffeId('shop', 'orders'))
    await pods.server.update(pods.state, { ...pods.serverPod, svid })

    const direct = kept(await openTls({ address: pods.server.address, port: pods.port('tcp'), svid }))
    const shown = (direct.socket as import('node:tls').TLSSocket).getPeerX509Certificate()?.raw
    assert.deepEqual(shown, svid.chain[0]?.der)
    await assertWorks(before, 'after')
    await assertWorks(await tunnel('orders'), 'new')
  })

  it('keeps everything when root and certificates are replaced step by step', async () => {
    const before = await tunnel('orders')
    await assertWorks(before, 'before')
    const next = await newRoot()
    const { services, endpoints } = pods.state
    const trusting = (roots: readonly (typeof next)[]): MeshState => ({ ...newState({ roots }), services, endpoints })
    const both = trusting([pods.root, next])
    await pods.server.update(both, pods.serverPod)
    await pods.client.update(both, pods.clientPod)
    await assertWorks(await tunnel('orders'), 'both are trusted')

    const serverPod = { ...pods.serverPod, svid: await newSvid(next, spiffeId('shop', 'orders')) }
    const clientPod = { ...pods.clientPod, svid: await newSvid(next, spiffeId('shop', 'storefront')) }
    await pods.server.update(both, serverPod)
    await assertWorks(await tunnel('orders'), 'one has moved')
    await pods.client.update(both, clientPod)
    await assertWorks(await tunnel('orders'), 'both have moved')

    const after = trusting([next])
    await pods.server.update(after, serverPod)
    await pods.client.update(after, clientPod)
    await assertWorks(await tunnel('orders'), 'only the new one is trusted')
    await assertWorks(before, 'the first connection is still there')
  })

  it('refuses a server whose identity is no longer that of the Service, without a change of clusters', async () => {
    await assertWorks(await tunnel('orders'), 'before')
    const orders = pods.state.services.get('shop/orders')
    assert.ok(orders)
    const before = await pods.client.envoy.stat('cluster_manager.cluster_modified')
    const somebodyElse = { ...orders, identities: [spiffeId('shop', 'new-orders').toString()] }
    await pods.client.update(withService(pods.state, somebodyElse), pods.clientPod)
    assert.match(await (await tunnel('orders')).ended(), /SAN_match/)

    await pods.client.update(withService(pods.state, { ...orders, identities: [] }), pods.clientPod)
    assert.match(await (await tunnel('orders')).ended(), /SAN_match/)

    await pods.client.update(pods.state, pods.clientPod)
    await assertWorks(await tunnel('orders'), 'again')
    assert.equal(await pods.client.envoy.stat('cluster_manager.cluster_modified'), before)
  })

  it('becomes strict for those in the clear only', async () => {
    const number = pods.port('permissiveTcp')
    const proven = await tunnel('orders', 'permissiveTcp')
    await assertWorks(proven, 'proven')
    const clear = kept(await open(pods.server.address, number))
    await assertWorks(clear, 'clear')

    const { workload } = pods.serverPod
    const strict = { ...workload, portModes: { ...workload.portModes, [number]: MutualTlsMode.STRICT } }
    await pods.server.update(pods.state, { ...pods.serverPod, workload: strict })

    await eventually(async () => {
      const late = kept(await open(pods.server.address, number))
      late.write('late')
      assert.equal(await late.ended(), '')
    })
    // Its chain is gone, and with it, when the time to drain is over, what was open on it.
    assert.equal(await clear.ended(), 'clear')
    await assertWorks(proven, 'still proven')
    await assertWorks(await tunnel('orders', 'permissiveTcp'), 'proven again')
  })

  it('closes nothing but recognised HTTP when a port of which nothing was said is declared', async () => {
    const number = pods.port('unknownTcp')
    const talk = async (conversation: Conversation): Promise<Conversation> => {
      kept(conversation)
      await conversation.received('welcome')
      return conversation
    }
    const there = { address: pods.server.address, port: number }
    const open_ = {
      clear: await talk(await open(there.address, there.port)),
      proven: await talk(
        await openTls({ ...there, svid: pods.clientPod.svid, servername: '1.test.shop.countersign.internal' })
      ),
      elsewhere: await tunnel('orders')
    }
    const recognised = kept(await open(pods.server.address, pods.port('unknownHttp')))
    const ask = async (conversation: Conversation, path: string): Promise<void> => {
      conversation.write(`GET ${path} HTTP/1.1\r\nhost: orders\r\n\r\n`)
      await conversation.received(`"url":"${path}"`)
    }
    await ask(recognised, '/before')

    const { workload } = pods.serverPod
    const ports = workload.ports.map(port => {
      const declared = port.number === number || port.number === pods.port('unknownHttp')
      return declared ? { ...port, protocol: Protocol.TCP, reason: 'declared' } : port
    })
    const inPlace = await pods.server.envoy.stat('listener_manager.listener_in_place_updated')
    await pods.server.update(pods.state, { ...pods.serverPod, workload: { ...workload, ports } })
    assert.equal(await pods.server.envoy.stat('listener_manager.listener_in_place_updated'), inPlace + 2)

    // Its chain is gone, and with it, when the time to drain is over, what was open on it.
    await recognised.ended()
    for (const [name, conversation] of Object.entries(open_)) await assertWorks(conversation, name)
  })

  it('learns of a new Service without a word to the connections of others', async () => {
    const before = await tunnel('orders')
    await assertWorks(before, 'before')
    const payments = newService({
      name: 'payments',
      ports: [{ number: 84, name: 'tcp', protocol: Protocol.TCP }],
      identities: [spiffeId('shop', 'orders').toString()]
    })
    const state = withService(pods.state, payments)
    const endpoints = newEndpoints([
      { servicePort: 84, endpoints: [{ address: pods.server.address, port: pods.port('tcp'), mutualTls: true }] }
    ])
    await pods.client.update(
      { ...state, endpoints: new Map([...state.endpoints, ['shop/payments', endpoints]]) },
      pods.clientPod
    )
    const there = kept(await tunnelThrough(pods.client.address, 'payments:84'))
    await assertWorks(there, 'there')
    await pods.client.update(pods.state, pods.clientPod)
    await eventually(async () =>
      assert.equal((await callThrough(pods.client.address, 'http://payments:84/')).status, 502)
    )
    await assertWorks(before, 'after')
  })

  it('speaks mutual TLS as soon as an endpoint has a proxy', async () => {
    const ask = async (): Promise<string> => {
      const fresh = kept(await tunnelThrough(pods.client.address, `clear:${pods.servicePort('permissiveHttp')}`))
      fresh.write('GET / HTTP/1.1\r\nhost: clear\r\n\r\n')
      return fresh.received('"source"')
    }
    assert.doesNotMatch(await ask(), /x-forwarded-client-cert/)
    const regular = pods.state.endpoints.get('shop/orders')
    assert.ok(regular)
    const endpoints = new Map([...pods.state.endpoints, ['shop/clear', regular] as const])
    await pods.client.update({ ...pods.state, endpoints }, pods.clientPod)
    assert.match(await ask(), /x-forwarded-client-cert/)
  })

  it("shows the client's new certificate to servers", async () => {
    const before = await clientHash()
    assert.ok(before)
    const svid = await newSvid(pods.root, spiffeId('shop', 'storefront'))
    await pods.client.update(pods.state, { ...pods.clientPod, svid })
    // Connections that are open keep the certificate that they were opened with; a tunnel is always a new one.
    const fresh = kept(await tunnelThrough(pods.client.address, 'orders:80'))
    fresh.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n')
    const answer = await fresh.received('"source"')
    assert.notEqual(/Hash=([0-9a-f]{64})/.exec(answer)?.[1], before)
    assert.match(answer, /HTTP\/1\.1 200/)
  })
})
