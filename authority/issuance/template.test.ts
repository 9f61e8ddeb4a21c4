import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import { createRoot, generateKeyPair, type Issuer, signCertificate, spkiOf } from '../../shared/x509/index.ts'
import { DEFAULT_LIFETIMES, type Lifetimes, template } from './index.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const now = Date.UTC(2026, 0, 1)
const spiffeId = SpiffeId.workload(parseTrustDomain('cluster.local'), 'shop', 'cart')
const lifetimes: Lifetimes = { defaultMs: 24 * HOUR, maximumMs: 48 * HOUR, minimumMs: HOUR }

const rootWith = (notBefore: number, notAfter: number): Promise<Issuer> =>
  createRoot({ commonName: 'root', notBefore, notAfter })
const root = await rootWith(now - HOUR, now + 1_000 * HOUR)

const lifetimeFor = (lifetimeMs: number | undefined, limits = lifetimes, issuer = root): number =>
  template({ spiffeId, lifetimeMs }, limits, issuer, now).notAfter - now

async function intermediateUntil(notAfter: number): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair()
  const life = { notBefore: now - HOUR, notAfter }
  const certificate = signCertificate({ ...life, usage: 'authority', commonName: 'x' }, spkiOf(publicKey), root)
  return { certificate, privateKey, chain: [certificate] }
}

describe('what a certificate says', () => {
  it('it names one workload and begins a minute ago', () => {
    const made = template({ spiffeId, lifetimeMs: undefined }, DEFAULT_LIFETIMES, root, now)
    const day = now + 24 * HOUR
    assert.deepEqual(made, { usage: 'workload', spiffeId, notBefore: now - 60 * SECOND, notAfter: day })
  })

  it('it has the DNS names that are granted', () => {
    const made = template({ spiffeId, lifetimeMs: undefined, dnsNames: ['cart.shop'] }, DEFAULT_LIFETIMES, root, now)
    assert.deepEqual(made.dnsNames, ['cart.shop'])
  })

  it('it never begins before its issuer does', async () => {
    const young = await rootWith(now - 10 * SECOND, now + HOUR)
    const made = template({ spiffeId, lifetimeMs: undefined }, DEFAULT_LIFETIMES, young, now)
    assert.equal(made.notBefore, now - 10 * SECOND)
  })

  const lives: Record<string, [number | undefined, number]> = {
    'no wish gives the default': [undefined, 24 * HOUR],
    'a modest wish is granted': [2 * HOUR, 2 * HOUR],
    'the limit is granted': [48 * HOUR, 48 * HOUR],
    'a wish beyond the limit gives the limit': [48 * HOUR + 1, 48 * HOUR],
    'a wish beyond all measure gives the limit': [Number.POSITIVE_INFINITY, 48 * HOUR],
    'a wish below the minimum gives the minimum': [1, HOUR],
    'a wish below zero gives the minimum': [-HOUR, HOUR]
  }
  for (const [what, [wanted, lifetime]] of Object.entries(lives))
    it(`lifetime: ${what}`, () => {
      assert.equal(lifetimeFor(wanted), lifetime)
    })

  it('it ends with its issuer', async () => {
    const ending = await rootWith(now - HOUR, now + 3 * HOUR)
    assert.equal(lifetimeFor(undefined, lifetimes, ending), 3 * HOUR)
    assert.equal(lifetimeFor(2 * HOUR, lifetimes, ending), 2 * HOUR)
  })

  it('it ends with whatever ends first on the way to the root', async () => {
    const ending = await intermediateUntil(now + 5 * HOUR)
    const { publicKey, privateKey } = await generateKeyPair()
    const longer = { notBefore: now - HOUR, notAfter: now + 100 * HOUR, usage: 'authority', commonName: 'y' } as const
    const certificate = signCertificate(longer, spkiOf(publicKey), ending)
    const issuer: Issuer = { certificate, privateKey, chain: [certificate, ...ending.chain] }
    assert.equal(lifetimeFor(undefined, lifetimes, issuer), 5 * HOUR)
  })

  const unusable: Record<string, [number, number]> = {
    'an issuer that expired': [now - HOUR, now - SECOND],
    'an issuer that ends now': [now - HOUR, now],
    'an issuer that ends before the minimum is over': [now - HOUR, now + HOUR - SECOND],
    'an issuer that is not valid yet': [now + SECOND, now + 100 * HOUR]
  }
  for (const [what, [notBefore, notAfter]] of Object.entries(unusable))
    it(`${what} signs nothing`, async () => {
      const issuer = await rootWith(notBefore, notAfter)
      assert.throws(
        () => lifetimeFor(undefined, lifetimes, issuer),
        (error: unknown) => error instanceof CountersignError && error.code === 'ERR_ISSUER_UNUSABLE'
      )
    })
})
