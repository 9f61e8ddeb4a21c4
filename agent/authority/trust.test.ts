import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SpiffeId } from '../../shared/identity/index.ts'
import { type Certificate, generateKeyPair, spkiOf, type TrustBundle } from '../../shared/x509/index.ts'
import { FakeIssuer } from '../../test/fakes/authority.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { Trust } from './trust.ts'

const clock = new FakeClock()
const ours = await FakeIssuer.create({ clock })
const next = await FakeIssuer.create({ clock })
const foreign = await FakeIssuer.create({ clock, trustDomain: 'other.test' })
const { publicKey } = await generateKeyPair()
const chainOf = (issuer: FakeIssuer): readonly Certificate[] =>
  issuer.certify(SpiffeId.workload(issuer.trustDomain, 'shop', 'cart'), spkiOf(publicKey))

class FakeFile {
  #bundle: TrustBundle | undefined
  readonly listeners = new Set<() => void>()
  constructor(bundle?: TrustBundle) {
    this.#bundle = bundle
  }
  current(): TrustBundle | undefined {
    return this.#bundle
  }
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  set(bundle: TrustBundle): void {
    this.#bundle = bundle
    for (const listener of this.listeners) listener()
  }
}

function open(file = new FakeFile(ours.bundle)): { trust: Trust; told: () => number } {
  const trust = new Trust({ trustDomain: ours.trustDomain, file, clock })
  let told = 0
  trust.subscribe(() => {
    told += 1
  })
  return { trust, told: () => told }
}

describe('trust', () => {
  it('accepts anything while nothing is known: there is nothing to judge by', () => {
    const { trust } = open(new FakeFile())
    assert.deepEqual(trust.bundles(), [])
    assert.equal(trust.authorityBundle(), undefined)
    trust.verify(chainOf(foreign))
    trust.verifyAgent(chainOf(foreign))
  })

  it('is what the file says, until the mesh is known', () => {
    const { trust } = open()
    assert.deepEqual(trust.bundles(), [ours.bundle])
    trust.verify(chainOf(ours))
    assert.throws(() => trust.verify(chainOf(next)), { code: 'ERR_CERTIFICATE_INVALID' })
    assert.throws(() => trust.verify(chainOf(foreign)), { code: 'ERR_CERTIFICATE_INVALID' })
  })

  it('is what the mesh says once it is known, whatever the file says', () => {
    const { trust } = open()
    trust.learn([next.bundle, foreign.bundle])
    trust.verify(chainOf(next))
    trust.verify(chainOf(foreign))
    assert.throws(() => trust.verify(chainOf(ours)), { code: 'ERR_CERTIFICATE_INVALID' })
  })

  it('in the authority comes from both, each root once, and never from another trust domain', () => {
    const { trust } = open()
    trust.learn([
      { trustDomain: ours.trustDomain, roots: [...ours.bundle.roots, ...next.bundle.roots] },
      foreign.bundle
    ])
    assert.deepEqual(
      trust.authorityBundle()?.roots.map(({ serialNumber }) => serialNumber),
      [...ours.bundle.roots, ...next.bundle.roots].map(({ serialNumber }) => serialNumber)
    )
    trust.verifyAgent(chainOf(ours))
    trust.verifyAgent(chainOf(next))
    assert.throws(() => trust.verifyAgent(chainOf(foreign)), { code: 'ERR_CERTIFICATE_INVALID' })
  })

  it('tells of what changes in the mesh and in the file, and not of what stays', () => {
    const file = new FakeFile(ours.bundle)
    const { trust, told } = open(file)
    trust.learn([ours.bundle])
    assert.equal(told(), 1)
    trust.learn([{ ...ours.bundle }])
    assert.equal(told(), 1)
    trust.learn([ours.bundle, foreign.bundle])
    assert.equal(told(), 2)
    file.set(next.bundle)
    assert.equal(told(), 3)
    trust.close()
    file.set(ours.bundle)
    trust.learn([])
    assert.equal(told(), 3)
  })
})
