// An operator's word on versions of TLS, from the authority's options to a port of a pod.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import { newSvid } from '../../agent/proxy/fixtures.test-support.ts'
import { FileRootStore, openRoot } from '../../authority/root/index.ts'
import { systemClock } from '../../shared/clock/index.ts'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import { privateKeyToPem, toPem } from '../../shared/x509/index.ts'
import { startTestShop, type TestShop } from './shop.ts'

const TRUST_DOMAIN = parseTrustDomain('cluster.local')

describe('where the operator allows TLS 1.2 to clients without a proxy', () => {
  let shop: TestShop
  let certificate: ConnectionOptions
  before(async () => {
    const environment = { COUNTERSIGN_MINIMUM_TLS_WITHOUT_PROXY: '1.2' }
    shop = await startTestShop({ network: '86.0', certificateLifetime: '24h', environment })
    const store = new FileRootStore(shop.mesh.layout.authorityState)
    const root = await openRoot(store, { trustDomain: TRUST_DOMAIN, clock: systemClock })
    const { chain, privateKey } = await newSvid(root, SpiffeId.workload(TRUST_DOMAIN, 'shop', 'prometheus'))
    certificate = { cert: toPem(chain), key: privateKeyToPem(privateKey) }
  })
  after(() => shop?.close())

  /** The version in which orders answers a client of this TLS, and what it says. */
  async function answer(options: ConnectionOptions): Promise<{ version: string | null; text: string }> {
    const socket = connect({ host: shop.orders.pod.address, port: 8080, rejectUnauthorized: false, ...options })
    try {
      await once(socket, 'secureConnect')
      const version = socket.getProtocol()
      socket.setEncoding('utf8').write('GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n')
      return { version, text: (await socket.toArray()).join('') }
    } finally {
      socket.on('error', () => {}).destroy()
    }
  }

  it('a client that knows nothing newer is served, and named to the application', async () => {
    const { version, text } = await answer({ ...certificate, maxVersion: 'TLSv1.2' })
    assert.equal(version, 'TLSv1.2')
    assert.match(text, /^HTTP\/1\.1 200 .*URI=spiffe:\/\/cluster\.local\/ns\/shop\/sa\/prometheus/s)
  })

  it('one that knows TLS 1.3 speaks it', async () => {
    const { version, text } = await answer(certificate)
    assert.deepEqual([version, text.slice(0, 12)], ['TLSv1.3', 'HTTP/1.1 200'])
  })

  it('one without a certificate is refused', async () => {
    await assert.rejects(answer({ maxVersion: 'TLSv1.2' }))
  })

  it('calls between proxies go on', async () => {
    assert.equal((await shop.callOrders()).status, 200)
  })
})
