// What each mode lets in, on ports of each protocol, from a client without a proxy.

import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { after, before, describe, it } from 'node:test'
import { newSvid, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import type { PodState } from '../../agent/proxy/index.ts'
import { privateKeyToPem, toPem } from '../../shared/x509/index.ts'
import { type Conversation, callThrough, open, openTls, tunnelThrough } from './calls.ts'
import { eventually } from './index.ts'
import { CLIENT_ID, type Offer, SERVER_ID, startTwoPods, type TwoPods } from './two-pods.ts'

const REQUEST = 'GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n'
const MARK = '1.test.shop.countersign.internal'

/**
 * How somebody may come: in the clear, in TLS with or without a certificate, in TLS that says it is the mesh's, in TLS
 * that says there is HTTP inside.
 */
type Approach = 'clear' | 'tls' | 'svid' | 'svid http' | 'marked tls' | 'marked svid' | 'marked svid http'

/** What becomes of it: the application gets it, gets it with the caller's name, or nothing does. */
type Outcome = 'delivered' | 'delivered with a name' | 'refused'

const REFUSED: Readonly<Record<Approach, Outcome>> = {
  clear: 'refused',
  tls: 'refused',
  svid: 'refused',
  'svid http': 'refused',
  'marked tls': 'refused',
  'marked svid': 'refused',
  'marked svid http': 'refused'
}

/** Whoever has a certificate, in whatever way. */
const PROVEN = (outcome: Outcome): Partial<Readonly<Record<Approach, Outcome>>> => ({
  svid: outcome,
  'svid http': outcome,
  'marked svid': outcome,
  'marked svid http': outcome
})

// What an application of bytes echoes has no name in it: the certificate is seen by policies only.
const EXPECTED: Partial<Record<Offer, Readonly<Record<Approach, Outcome>>>> = {
  http: { ...REFUSED, ...PROVEN('delivered with a name') },
  permissiveHttp: { ...REFUSED, ...PROVEN('delivered with a name'), clear: 'delivered' },
  // TLS goes through to an application that does not speak it.
  disabledHttp: { ...REFUSED, clear: 'delivered' },
  tcp: { ...REFUSED, ...PROVEN('delivered') },
  permissiveTcp: { ...REFUSED, ...PROVEN('delivered'), clear: 'delivered' },
  // The application's own TLS reaches it only inside the mesh's.
  tls: { ...REFUSED },
  permissiveTls: { ...REFUSED, tls: 'delivered', svid: 'delivered', 'svid http': 'delivered' },
  // TLS that is not marked is the application's, which speaks none. Bytes of a client that does not say HTTP have no
  // name in them, though they are HTTP.
  unknownHttp: {
    ...REFUSED,
    clear: 'delivered',
    'marked svid': 'delivered',
    'marked svid http': 'delivered with a name'
  },
  strictUnknownHttp: {
    ...REFUSED,
    svid: 'delivered',
    'svid http': 'delivered with a name',
    'marked svid': 'delivered',
    'marked svid http': 'delivered with a name'
  },
  disabledUnknownHttp: { ...REFUSED, clear: 'delivered' },
  unknownTls: { ...REFUSED, tls: 'delivered', svid: 'delivered', 'svid http': 'delivered' }
}

describe('a port of a workload', () => {
  let pods: TwoPods
  let svid: PodState['svid']
  before(async () => {
    pods = await startTwoPods('127.83.2')
    svid = await newSvid(pods.root, spiffeId('shop', 'batch'))
  })
  after(() => pods?.stop())

  function approach(how: Approach, offer: Offer): Promise<Conversation> {
    const target = { address: pods.server.address, port: pods.port(offer) }
    if (how === 'clear') return open(target.address, target.port)
    return openTls({
      ...target,
      ...(how.includes('svid') ? { svid } : {}),
      ...(how.endsWith('http') ? { alpn: ['http/1.1'] } : {}),
      ...(how.startsWith('marked') ? { servername: MARK } : {})
    })
  }

  async function outcomeOf(how: Approach, offer: Offer): Promise<Outcome> {
    let conversation: Conversation | undefined
    try {
      conversation = await approach(how, offer)
      conversation.write(REQUEST)
      // The HTTP application repeats the host it was asked for, the others every byte.
      const said = await conversation.received('orders')
      return said.includes(`URI=${svid.spiffeId}`) ? 'delivered with a name' : 'delivered'
    } catch {
      return 'refused'
    } finally {
      conversation?.close()
    }
  }

  for (const [offer, outcomes] of Object.entries(EXPECTED))
    for (const [how, outcome] of Object.entries(outcomes))
      it(`of kind ${offer}: ${how} is ${outcome}`, async () => {
        assert.equal(await outcomeOf(how as Approach, offer as Offer), outcome)
      })

  it("passes an application's own TLS through the mesh's, on a strict port", async () => {
    const tunnel = await tunnelThrough(pods.client.address, `orders:${pods.servicePort('tls')}`)
    const inner = await openTls({ address: '', port: 0, socket: tunnel.socket })
    inner.write('ping')
    assert.equal(await inner.received('ping'), 'ping')
    inner.close()
    tunnel.close()
  })

  it('lets a server speak first over mutual TLS', async () => {
    const tunnel = await tunnelThrough(pods.client.address, `orders:${pods.servicePort('greetingTcp')}`)
    await tunnel.received('welcome')
    tunnel.close()
  })

  it('lets a server speak first in the clear, where that is allowed', async () => {
    const conversation = await open(pods.server.address, pods.port('greetingTcp'))
    assert.equal(await conversation.received('welcome'), 'welcome\n')
    conversation.close()
  })

  it('lets a server speak first where nothing was said, in the clear and over mutual TLS', async () => {
    const clear = await open(pods.server.address, pods.port('unknownTcp'))
    const proven = await openTls({
      address: pods.server.address,
      port: pods.port('unknownTcp'),
      svid,
      servername: MARK
    })
    for (const conversation of [clear, proven]) {
      assert.equal(await conversation.received('welcome'), 'welcome\n')
      conversation.write('ping')
      await conversation.received('ping')
      conversation.close()
    }
  })

  // Each could be taken for something else by its first bytes.
  for (const [what, bytes] of Object.entries({
    'a message of AMQP': 'AMQP\0\0\x09\x01',
    'a command of Redis': 'GET key\r\n',
    'a frame of STOMP': 'CONNECT\naccept-version:1.2\n\n\0',
    'a number that is a letter': 'P\0\0\0\x01\0\0\0',
    'a request of SIP': 'OPTIONS sip:orders SIP/2.0\r\n\r\n'
  }))
    it(`passes on ${what} as it is, where nothing was said`, async () => {
      const conversation = await open(pods.server.address, pods.port('unknownTcp'))
      conversation.write(bytes)
      await conversation.received(`welcome\n${bytes}`)
      conversation.close()
    })

  it('recognises HTTP in the clear where nothing was said: a name that was not proven is taken away', async () => {
    const forged = 'GET / HTTP/1.1\r\nhost: orders\r\nx-forwarded-client-cert: URI=forged\r\n\r\n'
    for (const offer of ['unknownHttp', 'disabledUnknownHttp'] as const) {
      const conversation = await open(pods.server.address, pods.port(offer))
      conversation.write(forged)
      assert.doesNotMatch(await conversation.received('"source"'), /forged/)
      conversation.close()
    }
  })

  it('does not look for HTTP where bytes were declared', async () => {
    const conversation = await open(pods.server.address, pods.port('permissiveTcp'))
    const forged = 'GET / HTTP/1.1\r\nhost: orders\r\nx-forwarded-client-cert: URI=forged\r\n\r\n'
    conversation.write(forged)
    assert.equal(await conversation.received('\r\n\r\n'), forged)
    conversation.close()
  })

  it('hears from the proxy of a client that there is HTTP inside', async () => {
    for (const offer of ['unknownHttp', 'strictUnknownHttp'] as const) {
      const { status, body } = await callThrough(pods.client.address, `http://orders:${pods.servicePort(offer)}/path`)
      assert.equal(status, 200, body)
      assert.match(body, new RegExp(`By=${SERVER_ID};.*URI=${CLIENT_ID}"`))
    }
  })

  it('recognises HTTP/2 in the clear, and over mutual TLS, where nothing was said', async () => {
    const { address } = pods.server
    const port = pods.port('unknownHttp2')
    const proof = {
      key: privateKeyToPem(svid.privateKey),
      cert: toPem(svid.chain),
      rejectUnauthorized: false,
      servername: MARK
    }
    for (const [url, options] of [
      [`http://${address}:${port}`, {}],
      [`https://${address}:${port}`, proof]
    ] as const) {
      const session = connectHttp2(url, options)
      const stream = session.request({ 'x-forwarded-client-cert': 'URI=forged' })
      const seen = JSON.parse((await stream.setEncoding('utf8').toArray()).join(''))
      session.destroy()
      assert.equal(seen.protocol, '2.0')
      const named = seen.headers['x-forwarded-client-cert']
      if (options === proof) assert.match(named, new RegExp(`URI=${svid.spiffeId}$`))
      else assert.equal(named, undefined)
    }
  })

  it('shows in its configuration what each port was taken for, and why', async () => {
    const { body } = await pods.server.envoy.admin('/config_dump?resource=dynamic_listeners')
    assert.match(
      body,
      new RegExp(`"countersign.dev/ports": \\{\\s*"${pods.port('unknownTcp')}": "UNSPECIFIED: unknownTcp"`)
    )
    assert.match(body, new RegExp(`"${pods.port('http')}": "HTTP: http"`))
  })

  it('serves a connection that was opened long before its first request', async () => {
    const offers = ['permissiveHttp', 'unknownHttp'] as const
    const conversations = await Promise.all(offers.map(offer => open(pods.server.address, pods.port(offer))))
    // Longer than the proxy looks for a TLS greeting; another connection shows when that time is over.
    const clock = await open(pods.server.address, pods.port('greetingTcp'))
    await clock.received('welcome')
    clock.close()
    for (const conversation of conversations) {
      conversation.write(REQUEST)
      assert.match(await conversation.received('orders'), /^HTTP\/1\.1 200/)
      conversation.close()
    }
  })

  it('writes down who came in the clear to a strict port', async () => {
    assert.equal(await outcomeOf('clear', 'http'), 'refused')
    await eventually(() => {
      const entry = pods.server.envoy.accessLog().find(({ flags }) => flags === 'NR')
      assert.equal(entry?.['destination'], `${pods.server.address}:${pods.port('http')}`)
      assert.match(String(entry?.['source']), /^127\.0\.0\.1:\d+$/)
    })
  })
})
