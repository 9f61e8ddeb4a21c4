// The HTTP proxy through which an application calls out where nothing is redirected, and the ports of the proxy itself.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Seen } from './applications.ts'
import { call, callThrough, open, tunnelThrough } from './calls.ts'
import { eventually } from './index.ts'
import { CLIENT_ID, startTwoPods, type TwoPods } from './two-pods.ts'

describe('the proxy of a pod without redirection', () => {
  let pods: TwoPods
  before(async () => {
    pods = await startTwoPods('127.83.3')
  })
  after(() => pods?.stop())

  const get = (url: string, headers = {}) => callThrough(pods.client.address, url, { headers })
  const seenBy = async (url: string, headers = {}): Promise<Seen> => JSON.parse((await get(url, headers)).body)

  for (const name of [
    'orders',
    'orders:80',
    'orders.shop',
    'orders.shop.svc:80',
    'orders.shop.svc.cluster.local',
    'ORDERS.shop'
  ])
    it(`finds a Service by the name ${name}`, async () => {
      const { status, body } = await get(`http://${name}/path?query=1`)
      assert.equal(status, 200, body)
      const seen: Seen = JSON.parse(body)
      assert.equal(seen.url, '/path?query=1')
      assert.match(String(seen.headers['x-forwarded-client-cert']), new RegExp(`URI=${CLIENT_ID}$`))
    })

  for (const name of ['orders.billing', 'orders.shop:8080', 'example.org', '192.0.2.1:80', 'orders.shop.example.org'])
    it(`refuses ${name}, and says which name is unknown`, async () => {
      const { status, body } = await get(`http://${name}/`)
      assert.equal(status, 502)
      assert.match(body, new RegExp(`^countersign: no service of the mesh is called ${name}: expected <service>`))
    })

  it('says so when a Service has no endpoint', async () => {
    const { status, body } = await get('http://empty/')
    assert.equal(status, 503)
    assert.equal(body, 'countersign: outbound/shop/empty/80 has no endpoint\n')
  })

  it('says so when the application does not listen', async () => {
    const { status, body } = await get(`http://orders:${pods.servicePort('closed')}/`)
    assert.equal(status, 503)
    assert.match(body, /^countersign: the application does not accept connections at 127\.83\.3\.1:\d+\n$/)
  })

  it('opens a tunnel to a Service of bytes', async () => {
    const tunnel = await tunnelThrough(pods.client.address, `orders.shop:${pods.servicePort('tcp')}`)
    assert.match(await tunnel.received('\r\n\r\n'), /^HTTP\/1\.1 200 /)
    tunnel.write('x'.repeat(300_000))
    tunnel.write('end')
    assert.equal((await tunnel.received('end')).length - (await tunnel.received('\r\n\r\n')).indexOf('x'), 300_003)
    tunnel.close()
  })

  it('opens a tunnel to a Service of HTTP, whose server still learns who calls', async () => {
    const tunnel = await tunnelThrough(pods.client.address, 'orders:80')
    tunnel.write('GET / HTTP/1.1\r\nhost: orders\r\nx-forwarded-client-cert: URI=forged\r\n\r\n')
    const answer = await tunnel.received('"source"')
    assert.match(answer, new RegExp(`URI=${CLIENT_ID}"`))
    assert.doesNotMatch(answer, /forged/)
    tunnel.close()
  })

  it('refuses a tunnel to what is unknown, and says which name', async () => {
    const tunnel = await tunnelThrough(pods.client.address, 'example.org:443')
    assert.match(await tunnel.received('called'), /^HTTP\/1\.1 502 .*no service of the mesh is called/s)
    tunnel.close()
  })

  it('carries WebSockets', async () => {
    const socket = await open(pods.client.address, 15001)
    socket.write(
      'GET http://orders/chat HTTP/1.1\r\nhost: orders\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
        'sec-websocket-version: 13\r\nsec-websocket-key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n'
    )
    assert.match(await socket.received('\r\n\r\n'), /^HTTP\/1\.1 101 /)
    socket.write('ping')
    await socket.received('ping')
    socket.close()
  })

  it('serves clients that speak HTTP/1.0', async () => {
    const socket = await open(pods.client.address, 15001)
    socket.write('GET http://orders/ HTTP/1.0\r\nhost: orders\r\n\r\n')
    assert.match(await socket.received('"source"'), /^HTTP\/1\.0 200 /)
    socket.close()
  })

  it('hands over a path in its normal form, as policies see it', async () => {
    assert.equal((await seenBy('http://orders/public/../admin?x=..')).url, '/admin?x=..')
  })

  it('changes no header but those that it answers for', async () => {
    const sent = {
      'x-request-id': 'mine',
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-proto': 'https',
      'user-agent': 'test',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    }
    const { headers } = await seenBy('http://orders/', sent)
    const { 'x-forwarded-client-cert': _, host, ...others } = headers
    assert.equal(host, 'orders')
    assert.deepEqual(others, sent)
  })

  it('adds no header of its own to an answer', async () => {
    const { headers } = await get('http://orders/')
    assert.deepEqual(Object.keys(headers).sort(), ['connection', 'content-length', 'content-type', 'date'])
  })

  it('takes away the headers that would steer proxies', async () => {
    const { status, body } = await get('http://orders/', {
      'x-envoy-upstream-rq-timeout-ms': '1',
      'x-envoy-retry-on': '5xx',
      'x-envoy-max-retries': '1000',
      'x-envoy-upstream-alt-stat-name': 'mine',
      'x-envoy-original-dst-host': '127.0.0.1:1'
    })
    assert.equal(status, 200)
    const { headers } = JSON.parse(body) as Seen
    assert.deepEqual(
      Object.keys(headers).filter(name => name.startsWith('x-envoy')),
      []
    )
  })

  it('serves callers from every loopback address', async () => {
    const { status } = await callThrough(pods.client.address, 'http://orders/', { localAddress: '127.99.99.99' })
    assert.equal(status, 200)
  })

  it('is ready on port 15021, at one path', async () => {
    const at = (path: string) => call({ address: pods.client.address, port: 15021, path })
    assert.equal((await at('/ready')).status, 200)
    for (const path of ['/', '/ready/', '/readyx', '/stats']) assert.equal((await at(path)).status, 404, path)
  })

  it('shows its metrics on port 15090, and nothing else of its admin interface', async () => {
    const at = (path: string, method = 'GET') => call({ address: pods.client.address, port: 15090, path, method })
    const { status, body } = await at('/stats/prometheus')
    assert.equal(status, 200)
    assert.match(body, /^envoy_cluster_upstream_cx_total/m)
    for (const path of [
      '/',
      '/config_dump',
      '/certs',
      '/quitquitquit',
      '/stats',
      '/stats/prometheus/../../config_dump'
    ])
      assert.equal((await at(path)).status, 404, path)
    assert.equal((await at('/quitquitquit', 'POST')).status, 404)
  })

  it('keeps an idle connection to the application for a moment only, because applications close theirs', async () => {
    await get('http://orders/')
    const cluster = `inbound/${pods.port('http')}`
    await eventually(async () => assert.equal(await pods.server.envoy.stat(`cluster.${cluster}.upstream_cx_active`), 0))
  })
})
