// Certificates of 30 s, replaced again and again while requests flow on connections that are never closed.

import assert from 'node:assert/strict'
import type { X509Certificate } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { Load, servedCertificate, until } from '../../cli/local/index.ts'
import { ORDERS_URL, startTestShop, type TestShop } from './shop.ts'

const ROTATIONS = 5

describe('rotation under load', () => {
  let shop: TestShop
  before(async () => {
    shop = await startTestShop({ network: '81.0', certificateLifetime: '30s' })
  })
  after(() => shop.close())

  it(`replaces the certificate ${ROTATIONS} times, key and serial new each time, and loses no request`, async () => {
    const { address } = shop.orders.pod
    const load = new Load({ url: ORDERS_URL, through: shop.proxy })
    const seen: X509Certificate[] = [await servedCertificate(address, 8080)]
    while (seen.length <= ROTATIONS) {
      const next = await until(
        `rotation ${seen.length}`,
        async () => {
          const certificate = await servedCertificate(address, 8080)
          return certificate.serialNumber === seen.at(-1)?.serialNumber ? undefined : certificate
        },
        { timeoutMs: 40_000, intervalMs: 250 }
      )
      seen.push(next)
    }
    await load.stop()

    assert.deepEqual(load.failures, [])
    assert.equal(load.connections, 4, 'a kept-alive connection was dropped')
    assert.ok(load.answered > 500, `only ${load.answered} requests were answered`)
    assert.equal(new Set(seen.map(certificate => certificate.serialNumber)).size, seen.length)
    const keys = seen.map(certificate => certificate.publicKey.export({ type: 'spki', format: 'der' }).toString('hex'))
    assert.equal(new Set(keys).size, seen.length)
    for (const certificate of seen) assert.match(certificate.subjectAltName ?? '', /ns\/shop\/sa\/orders$/)
  })
})
