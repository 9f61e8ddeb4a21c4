import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import { createRoot, generateKeyPair, type Issuer, signCertificate, spkiOf } from '../../shared/x509/index.ts'
import { identifyPeer } from './index.ts'

const NOW = Date.UTC(2026, 0, 1)
const HOUR_MS = 3_600_000
const trustDomain = parseTrustDomain('example.org')
const life = { notBefore: NOW - HOUR_MS, notAfter: NOW + HOUR_MS }
const root = await createRoot({ commonName: 'root', trustDomain, ...life })
const otherRoot = await createRoot({ commonName: 'root', trustDomain, ...life })
const bundle = { trustDomain, roots: [root.certificate] }

async function chainOf(spiffeId: SpiffeId, issuer: Issuer = root, notAfter = life.notAfter): Promise<Buffer[]> {
  const { publicKey } = await generateKeyPair()
  return [signCertificate({ usage: 'workload', spiffeId, ...life, notAfter }, spkiOf(publicKey), issuer).der]
}

describe('identifyPeer', () => {
  it('names an agent by its node', async () => {
    assert.equal(identifyPeer(await chainOf(SpiffeId.agent(trustDomain, 'node-1')), bundle, NOW), 'agent:node-1')
  })

  it('calls whoever presents nothing anonymous', () => {
    assert.equal(identifyPeer([], bundle, NOW), 'anonymous')
  })

  it('knows neither a pod nor the authority as a caller', async () => {
    for (const id of [SpiffeId.workload(trustDomain, 'shop', 'orders'), SpiffeId.authority(trustDomain)])
      assert.equal(identifyPeer(await chainOf(id), bundle, NOW), undefined)
  })

  const agent = SpiffeId.agent(trustDomain, 'node-1')
  const refused: readonly (readonly [string, () => Promise<Buffer[]>])[] = [
    ['an agent of another root', () => chainOf(agent, otherRoot)],
    ['an agent whose certificate has expired', () => chainOf(agent, root, NOW - 1)],
    ['an agent of another trust domain', () => chainOf(SpiffeId.agent(parseTrustDomain('other.org'), 'node-1'))],
    ['a root', async () => [root.certificate.der]],
    ['what is no certificate', async () => [Buffer.from('certificate')]]
  ]
  for (const [who, chain] of refused)
    it(`refuses ${who}`, async () => {
      const presented = await chain()
      assert.throws(() => identifyPeer(presented, bundle, NOW), { code: 'ERR_CERTIFICATE_INVALID' })
    })
})
