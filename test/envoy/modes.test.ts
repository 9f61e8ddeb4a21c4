// What each mode lets in, on ports of each protocol, from a client without a proxy.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { newSvid, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import type { PodState } from '../../agent/proxy/index.ts'
import { type Conversation, open, openTls, tunnelThrough } from './calls.ts'
import { eventually } from './index.ts'
import { type Offer, startTwoPods, type TwoPods } from './two-pods.ts'

const REQUEST = 'GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n'
const MARK = '1.test.shop.countersign.internal'

/** How somebody may come: in the clear, in TLS with or without a certificate, in TLS that says it is the mesh's. */
type Approach = 'clear' | 'tls' | 'svid' | 'marked tls' | 'marked svid'

/** What becomes of it: the application gets it, gets it with the caller's name, or nothing does. */
type Outcome = 'delivered' | 'delivered with a name' | 'refused'

const REFUSED: Readonly<Record<Approach, Outcome>> = {
  clear: 'refused',
  tls: 'refused',
  svid: 'refused',
  'marked tls': 'refused',
  'marked svid': 'refused'
}

// What an application of bytes echoes has no name in it: the certificate is seen by policies only.
const EXPECTED: Partial<Record<Offer, Readonly<Record<Approach, Outcome>>>> = {
  http: { ...REFUSED, svid: 'delivered with a name', 'marked svid': 'delivered with a name' },
  permissiveHttp: {
    ...REFUSED,
    clear: 'delivered',
    svid: 'delivered with a name',
    'marked svid': 'delivered with a name'
  },
  // TLS goes through to an application that does not speak it.
  disabledHttp: { ...REFUSED, clear: 'delivered' },
  tcp: { ...REFUSED, svid: 'delivered', 'marked svid': 'delivered' },
  // The same: other TLS than the mesh's is the application's.
  permissiveTcp: { ...REFUSED, clear: 'delivered', 'marked svid': 'delivered' },
  // The application's own TLS reaches it only inside the mesh's.
  tls: { ...REFUSED },
  permissiveTls: { ...REFUSED, tls: 'delivered', svid: 'delivered' }
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
      ...(how.endsWith('svid') ? { svid } : {}),
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

  it('serves a connection that was opened long before its first request', async () => {
    const conversation = await open(pods.server.address, pods.port('permissiveHttp'))
    // Longer than the proxy looks for a TLS greeting; another connection shows when that time is over.
    const clock = await open(pods.server.address, pods.port('greetingTcp'))
    await clock.received('welcome')
    clock.close()
    conversation.write(REQUEST)
    assert.match(await conversation.received('orders'), /^HTTP\/1\.1 200/)
    conversation.close()
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
