import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SpiffeId } from '../../shared/identity/index.ts'
import { type Certificate, generateKeyPair, spkiOf, verifySvid } from '../../shared/x509/index.ts'
import { FakeIssuer } from '../../test/fakes/authority.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { checkSuccessor, type Expected } from './check-successor.ts'

const clock = new FakeClock()
const issuer = await FakeIssuer.create({ clock, lifetimeMs: 3_600_000 })
const other = await FakeIssuer.create({ clock })
const key = await generateKeyPair()
const otherKey = await generateKeyPair()
const cart = SpiffeId.workload(issuer.trustDomain, 'shop', 'cart')
const admin = SpiffeId.workload(issuer.trustDomain, 'shop', 'admin')
const chain = issuer.certify(cart, spkiOf(key.publicKey))
const expected: Expected = {
  spiffeId: cart,
  publicKey: key.publicKey,
  now: clock.now(),
  verify: candidate => void verifySvid(candidate, [issuer.bundle], clock.now())
}

describe('a successor', () => {
  it('is taken when it is what was asked for', () => {
    checkSuccessor(chain, expected)
  })

  it('is taken while no root is known', () => {
    checkSuccessor(other.certify(cart, spkiOf(key.publicKey)), { ...expected, verify: () => {} })
  })

  const leaf = chain[0] as Certificate
  const refusals: Record<string, [readonly Certificate[], Partial<Expected>, RegExp]> = {
    'when there is none': [[], {}, /the chain is empty/],
    'when it is for another account': [
      issuer.certify(admin, spkiOf(key.publicKey)),
      {},
      /is for spiffe:.*\/sa\/admin$/
    ],
    'when it names nobody': [issuer.bundle.roots, {}, /is for nobody$/],
    'when it is for another key': [issuer.certify(cart, spkiOf(otherKey.publicKey)), {}, /for another key$/],
    'at the moment it expires': [
      chain,
      { now: leaf.notAfter },
      /the certificate expired at 2026-01-01T01:00:00\.000Z, now/
    ],
    'when it expired before': [chain, { now: leaf.notAfter + 3_600_000 }, /expired at/],
    'when it leads to no trusted root': [other.certify(cart, spkiOf(key.publicKey)), {}, /./]
  }
  for (const [title, [candidate, change, message]] of Object.entries(refusals))
    it(`is refused ${title}`, () => {
      assert.throws(() => checkSuccessor(candidate, { ...expected, ...change }), {
        code: 'ERR_CERTIFICATE_INVALID',
        message
      })
    })
})
