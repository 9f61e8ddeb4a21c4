import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nextWakeUp, planCertificates, type RootTimes, rootLifetime, type State } from './plan.ts'

const LIFE = 1_000
const ROOT_LIFE = rootLifetime(LIFE)
const START = 1_000_000

const root = (createdAt: number): RootTimes => ({ createdAt, notAfter: createdAt + ROOT_LIFE })
const serving = (createdAt: number, signer: RootTimes) => ({ createdAt, notAfter: createdAt + LIFE, signer })

/** Does what the plan says, as the room does. */
function follow(state: State<RootTimes>, now: number): State<RootTimes> {
  const plan = planCertificates(state, now, LIFE)
  const made = plan.makeRoot ? root(now) : undefined
  const signer = plan.signer ?? made ?? assert.fail('nobody signs')
  return {
    roots: made === undefined ? plan.keep : [...plan.keep, made],
    serving: plan.makeServing
      ? { createdAt: now, notAfter: Math.min(now + LIFE, signer.notAfter), signer }
      : state.serving
  }
}

describe('the plan of certificates', () => {
  const first = root(START)
  const successor = root(START + ROOT_LIFE * (2 / 3))

  it('makes a root and a certificate where there is nothing', () => {
    const plan = planCertificates({ roots: [], serving: undefined }, START, LIFE)
    assert.deepEqual(plan, { keep: [], makeRoot: true, signer: undefined, makeServing: true })
  })

  it('does nothing before two thirds of the life of the certificate', () => {
    const plan = planCertificates({ roots: [first], serving: serving(START, first) }, START + 666, LIFE)
    assert.deepEqual(plan, { keep: [first], makeRoot: false, signer: first, makeServing: false })
  })

  it('replaces the certificate from two thirds of its life on', () => {
    assert.ok(planCertificates({ roots: [first], serving: serving(START, first) }, START + 667, LIFE).makeServing)
  })

  it('makes the next root when two thirds of the life of the newest are over, and goes on signing with the old', () => {
    const now = successor.createdAt
    const plan = planCertificates({ roots: [first], serving: serving(now - 1, first) }, now, LIFE)
    assert.deepEqual(plan, { keep: [first], makeRoot: true, signer: first, makeServing: false })
  })

  it('keeps the old root signing for the life of one certificate after the new one was published', () => {
    const now = successor.createdAt + LIFE - 1
    const plan = planCertificates({ roots: [first, successor], serving: serving(now - 1, first) }, now, LIFE)
    assert.deepEqual(plan, { keep: [first, successor], makeRoot: false, signer: first, makeServing: false })
  })

  it('then signs with the new one at once, and publishes the old one for what others may still serve', () => {
    const now = successor.createdAt + LIFE
    const plan = planCertificates({ roots: [first, successor], serving: serving(now - 1, first) }, now, LIFE)
    assert.deepEqual(plan, { keep: [first, successor], makeRoot: false, signer: successor, makeServing: true })
  })

  it('publishes the old one no longer when the last certificate that it can have signed has ended', () => {
    const now = successor.createdAt + 2 * LIFE
    const state = { roots: [first, successor], serving: serving(now - 1, successor) }
    assert.deepEqual(planCertificates(state, now - 1, LIFE).keep, [first, successor])
    assert.deepEqual(planCertificates(state, now, LIFE).keep, [successor])
  })

  it('starts anew when everything has expired while the machine was suspended', () => {
    const now = START + ROOT_LIFE + 1
    const plan = planCertificates({ roots: [first], serving: serving(START, first) }, now, LIFE)
    assert.deepEqual(plan, { keep: [], makeRoot: true, signer: undefined, makeServing: true })
  })

  it('wakes up for whatever comes first', () => {
    assert.equal(nextWakeUp({ roots: [], serving: undefined }, LIFE), 0)
    const one = { roots: [first], serving: serving(START + 100, first) }
    assert.equal(Math.floor(nextWakeUp(one, LIFE)), START + 766)
    const late = { roots: [first], serving: serving(successor.createdAt - 10, first) }
    assert.equal(nextWakeUp(late, LIFE), successor.createdAt)
    const two = { roots: [first, successor], serving: serving(successor.createdAt + 900, first) }
    assert.equal(nextWakeUp(two, LIFE), successor.createdAt + LIFE)
    const over = { roots: [first, successor], serving: serving(successor.createdAt + 1_900, successor) }
    assert.equal(nextWakeUp(over, LIFE), successor.createdAt + 2 * LIFE)
  })

  it('always has a certificate that is valid, however long the machine sleeps between two steps', () => {
    const sleeps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 * ROOT_LIFE })), { maxLength: 120 })
    fc.assert(
      fc.property(sleeps, delays => {
        let now = START
        let state = follow({ roots: [], serving: undefined }, now)
        for (const delay of delays) {
          const due = nextWakeUp(state, LIFE)
          assert.ok(due > now, 'a step leaves nothing that is due')
          now = Math.ceil(due) + delay
          const before = state
          state = follow(state, now)
          const { serving: current, roots } = state
          assert.ok(current !== undefined && current.notAfter > now)
          assert.ok(roots.length <= 2 && roots.includes(current.signer) && current.signer.notAfter >= current.notAfter)
          const waited = current.signer.createdAt + LIFE <= now
          const noChoice = !before.roots.some(old => old.notAfter > now && old !== current.signer)
          assert.ok(waited || noChoice, 'a root signs before clients can know it')
        }
      })
    )
  })

  it('replaces hundreds of certificates in a row without a moment in which the bundle lacks the signer', () => {
    let now = START
    let state = follow({ roots: [], serving: undefined }, now)
    const signers = new Set<RootTimes>()
    for (let step = 0; step < 500; step++) {
      // A client that read the bundle one life ago still trusts what is served now.
      const known = state.roots
      now = Math.ceil(nextWakeUp(state, LIFE))
      state = follow(state, now)
      assert.ok(state.serving !== undefined && known.includes(state.serving.signer))
      signers.add(state.serving.signer)
    }
    assert.ok(signers.size > 10)
  })
})
