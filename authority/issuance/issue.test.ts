import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import { createCertificateRequest, createRoot, generateKeyPair, spkiOf, verifySvid } from '../../shared/x509/index.ts'
import { certify, DEFAULT_LIFETIMES, issue, type Order } from './index.ts'

const now = Date.UTC(2026, 0, 1)
const trustDomain = parseTrustDomain('cluster.local')
const spiffeId = SpiffeId.workload(trustDomain, 'shop', 'cart')
const root = await createRoot({ commonName: 'root', notBefore: now - 3_600_000, notAfter: now + 90 * 86_400_000 })
const keyPair = await generateKeyPair()

describe('signing', () => {
  it('a key of our own gets a certificate of what is wanted', () => {
    const wanted = { spiffeId, lifetimeMs: undefined, dnsNames: ['cart.shop', '*.cart.shop'] }
    const { certificate, chain } = certify(wanted, spkiOf(keyPair.publicKey), DEFAULT_LIFETIMES, root, now)
    assert.deepEqual(certificate.dnsNames, ['cart.shop', '*.cart.shop'])
    assert.ok(certificate.publicKey.equals(keyPair.publicKey))
    assert.ok(verifySvid(chain, [{ trustDomain, roots: [root.certificate] }], now).equals(spiffeId))
  })

  it('a request from outside gets no DNS names, whatever the order carries along', () => {
    const csr = createCertificateRequest(keyPair, spiffeId)
    const order = { csr, spiffeId, lifetimeMs: undefined, dnsNames: ['bank'] } as Order
    assert.deepEqual(issue(order, DEFAULT_LIFETIMES, root, now).certificate.dnsNames, [])
  })
})
