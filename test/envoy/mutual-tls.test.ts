// What two proxies prove to each other, seen by the applications behind them and in their logs.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { newRoot, newSvid, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import { type Certificate, generateKeyPair, type Issuer } from '../../shared/x509/index.ts'
import { certificateWith } from '../../shared/x509/openssl.test-support.ts'
import type { Seen } from './applications.ts'
import { callThrough, openTls, tunnelThrough } from './calls.ts'
import { eventually } from './index.ts'
import { CLIENT_ID, SERVER_ID, startTwoPods, type TwoPods } from './two-pods.ts'

const GET = 'GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n'

describe('mutual TLS between two proxies', () => {
  let pods: TwoPods
  before(async () => {
    pods = await startTwoPods('127.83.1')
  })
  after(() => pods?.stop())

  const get = (url: string) => callThrough(pods.client.address, url)
  const seenAt = async (url: string, headers = {}): Promise<Seen> => {
    const { status, body } = await callThrough(pods.client.address, url, { headers })
    assert.equal(status, 200, body)
    return JSON.parse(body)
  }
  const peersOf = (seen: Seen): string =>
    String(seen.headers['x-forwarded-client-cert']).replace(/;Hash=[0-9a-f]{64}/, '')

  it('tells the application who calls', async () => {
    assert.equal(peersOf(await seenAt('http://orders/')), `By=${SERVER_ID};URI=${CLIENT_ID}`)
  })

  it('tells it the truth when the caller lies', async () => {
    const seen = await seenAt('http://orders/', { 'x-forwarded-client-cert': `By=${SERVER_ID};URI=${SERVER_ID}` })
    assert.equal(peersOf(seen), `By=${SERVER_ID};URI=${CLIENT_ID}`)
  })

  it('lets nobody lie to a server without a proxy either', async () => {
    const { headers } = await seenAt('http://bare/', { 'x-forwarded-client-cert': `By=x;URI=${SERVER_ID}` })
    assert.equal(headers['x-forwarded-client-cert'], undefined)
  })

  it('carries HTTP/2 with prior knowledge to a port that declares it', async () => {
    const seen = await seenAt(`http://orders:${pods.servicePort('http2')}/`)
    assert.equal(seen.protocol, '2.0')
    assert.equal(peersOf(seen), `By=${SERVER_ID};URI=${CLIENT_ID}`)
  })

  it('uses TLS 1.3 and a key exchange that resists quantum computers', async () => {
    await seenAt('http://orders/')
    const { body } = await pods.server.envoy.admin('/stats?filter=ssl.*(versions|curves)')
    assert.match(body, /ssl\.versions\.TLSv1\.3: [1-9]/)
    assert.match(body, /ssl\.curves\.X25519MLKEM768: [1-9]/)
    assert.doesNotMatch(body, /TLSv1\.2/)
  })

  it('shows a certificate in each handshake: no session is resumed', async () => {
    for (let n = 0; n < 3; n++) {
      const tunnel = await tunnelThrough(pods.client.address, `orders:${pods.servicePort('tcp')}`)
      tunnel.write('ping')
      await tunnel.received('ping')
      tunnel.close()
    }
    const { body } = await pods.server.envoy.admin('/stats?filter=ssl.session_reused')
    for (const line of body.trim().split('\n')) assert.match(line, /: 0$/)
  })

  for (const [service, who] of Object.entries({ impostor: 'somebody else should serve', nobody: 'nobody may serve' }))
    it(`refuses a server when ${who} the Service, and says why`, async () => {
      const { status, body } = await get(`http://${service}/`)
      assert.equal(status, 503)
      assert.match(body, new RegExp(`^countersign: no connection to outbound/shop/${service}/80: .*SAN_match`))
      await eventually(() => {
        const entry = pods.client.envoy.accessLog().find(({ authority }) => authority === service)
        assert.match(String(entry?.['upstream_failure']), /CERTIFICATE_VERIFY_FAILED.*SAN_match/)
        assert.equal(entry?.['status'], 503)
      })
    })

  it('refuses such a server for TCP too', async () => {
    const tunnel = await tunnelThrough(pods.client.address, `impostor:${pods.servicePort('tcp')}`)
    assert.match(await tunnel.ended(), /^HTTP\/1\.1 503 .*SAN_match/s)
    tunnel.close()
  })

  it('never falls back to plaintext', async () => {
    const before = pods.connections('permissiveHttp')
    const { status } = await get(`http://impostor:${pods.servicePort('permissiveHttp')}/`)
    assert.equal(status, 503)
    assert.equal(pods.connections('permissiveHttp'), before)
  })

  describe('with a client that has no proxy', () => {
    const answer = async (svid?: Parameters<typeof openTls>[0]['svid'], more = {}): Promise<string> => {
      const conversation = await openTls({
        address: pods.server.address,
        port: pods.port('http'),
        ...(svid === undefined ? {} : { svid }),
        ...more
      })
      conversation.write(GET)
      try {
        return await conversation.ended()
      } finally {
        conversation.close()
      }
    }
    const forged = async (issuer: Issuer, ...extensions: string[]) => {
      const { privateKey } = await generateKeyPair()
      const chain: readonly Certificate[] = [certificateWith(extensions, issuer, privateKey)]
      return { chain, privateKey }
    }
    const USAGE = ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=clientAuth,serverAuth']
    const OTHER_TEST = parseTrustDomain('other.test')

    it('believes a certificate of the mesh', async () => {
      const id = spiffeId('shop', 'batch')
      assert.match(await answer(await newSvid(pods.root, id)), new RegExp(`^HTTP/1.1 200 .*URI=${id}"`, 's'))
    })

    it('believes a trust domain that the mesh accepts, for its own names', async () => {
      const id = spiffeId('shop', 'batch', OTHER_TEST)
      assert.match(await answer(await newSvid(pods.foreignRoot, id)), new RegExp(`^HTTP/1.1 200 .*URI=${id}"`, 's'))
    })

    // TLS 1.3: the client has finished before the server looks at its certificate, so the refusal comes as no answer.
    const refused: Readonly<Record<string, () => Promise<string>>> = {
      'no certificate': () => answer(),
      'a root that it does not know': async () => answer(await newSvid(await newRoot(), spiffeId('shop', 'batch'))),
      'a name of the mesh signed by the root of another trust domain': async () =>
        answer(await newSvid(pods.foreignRoot, spiffeId('shop', 'batch'))),
      'a name of another trust domain signed by its own root': async () =>
        answer(await newSvid(pods.root, spiffeId('shop', 'batch', OTHER_TEST))),
      'a trust domain that it does not know': async () =>
        answer(await newSvid(pods.root, spiffeId('shop', 'batch', parseTrustDomain('unknown.test')))),
      'a certificate without a SPIFFE ID': async () =>
        answer(await forged(pods.root, ...USAGE, 'subjectAltName=DNS:orders.shop')),
      'a certificate that may sign others': async () =>
        answer(
          await forged(
            pods.root,
            'basicConstraints=critical,CA:TRUE',
            'keyUsage=critical,digitalSignature,keyCertSign',
            `subjectAltName=critical,URI:${CLIENT_ID}`
          )
        ),
      'TLS 1.2': async () => answer(await newSvid(pods.root, spiffeId('shop', 'batch')), { maxVersion: 'TLSv1.2' })
    }
    for (const [what, attempt] of Object.entries(refused))
      it(`refuses ${what}`, async () => {
        const before = pods.connections('http')
        const said = await attempt().catch((error: Error) => error)
        assert.ok(said instanceof Error || said === '', `it answered ${said}`)
        assert.equal(pods.connections('http'), before)
      })

    it('writes down why it refused', async () => {
      await refused['a root that it does not know']?.().catch(() => {})
      await eventually(() => {
        const entry = pods.server.envoy
          .accessLog()
          .find(({ claimed_peer }) => claimed_peer === spiffeId('shop', 'batch').toString())
        assert.match(String(entry?.['downstream_failure']), /CERTIFICATE_VERIFY_FAILED/)
        assert.equal(entry?.['log'], 'inbound connection')
      })
    })

    it('connects the application of a TCP port only when the client has proven itself', async () => {
      const before = pods.connections('tcp')
      const target = { address: pods.server.address, port: pods.port('tcp') }
      const stranger = await openTls(target).then(
        conversation => conversation.ended().finally(() => conversation.close()),
        (error: Error) => error.message
      )
      assert.doesNotMatch(stranger, /ping/)
      assert.equal(pods.connections('tcp'), before)

      const friend = await openTls({ ...target, svid: await newSvid(pods.root, spiffeId('shop', 'batch')) })
      friend.write('ping')
      assert.equal(await friend.received('ping'), 'ping')
      friend.close()
      assert.equal(pods.connections('tcp'), before + 1)
    })
  })
})
