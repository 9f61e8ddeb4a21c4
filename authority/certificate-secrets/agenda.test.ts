import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Agenda, type Turn } from './agenda.ts'

const due = (...accounts: readonly (readonly [string, number])[]): ReadonlyMap<string, number> => new Map(accounts)

/** Whose turns come at one moment, each ended as soon as it has begun. */
function turns(agenda: Agenda, count: number, now = 100): readonly string[] {
  return Array.from({ length: count }, () => {
    const { turn } = agenda.next(now)
    if (turn === undefined) return 'nobody'
    agenda.begun(turn)
    return `${turn.namespace}/${turn.account}`
  })
}

describe('the agenda', () => {
  it('is empty: nothing is to be done, ever', () => {
    assert.deepEqual(new Agenda().next(0), { inMs: Number.POSITIVE_INFINITY })
  })

  it('serves namespaces in turns, and in each of them what has been due for longest', () => {
    const agenda = new Agenda()
    agenda.set('flood', due(['b', 20], ['a', 10], ['c', 30], ['d', 40]), 100)
    agenda.set('small', due(['x', 90]), 100)
    assert.deepEqual(turns(agenda, 6), ['flood/a', 'small/x', 'flood/b', 'flood/c', 'flood/d', 'nobody'])
  })

  it('serves whoever comes in the middle of a flood next, but for one', () => {
    const agenda = new Agenda()
    agenda.set('flood', due(...Array.from({ length: 1_000 }, (_, index) => [`a${index}`, index] as const)), 1_000)
    turns(agenda, 10, 1_000)
    agenda.set('new', due(['x', 1_000]), 1_000)
    assert.ok(turns(agenda, 2, 1_000).includes('new/x'))
  })

  it('never has two turns for one account at a time', () => {
    const agenda = new Agenda()
    agenda.set('n', due(['a', 0]), 0)
    assert.deepEqual(turns(agenda, 2), ['n/a', 'nobody'])
    agenda.set('n', due(['a', 0]), 0)
    assert.deepEqual(turns(agenda, 1), ['nobody'])
  })

  it('lets others pass what cannot be begun now, and does not say when that will be', () => {
    const agenda = new Agenda()
    agenda.set('slow', due(['a', 0], ['b', 1]), 0)
    agenda.set('n', due(['c', 5]), 0)
    assert.deepEqual(agenda.next(10, ({ namespace }) => namespace !== 'slow').turn, { namespace: 'n', account: 'c' })
    assert.deepEqual(agenda.next(10, ({ account }) => account === 'b').turn, { namespace: 'slow', account: 'b' })
    assert.deepEqual(
      agenda.next(10, () => false),
      { inMs: Number.POSITIVE_INFINITY }
    )
    assert.equal(agenda.next(10).turn?.account, 'a')
  })

  const TURN: Turn = { namespace: 'n', account: 'a' }

  it('lets what failed wait, twice as long each time, up to a minute', () => {
    const agenda = new Agenda()
    agenda.set('n', due(['a', 0], ['b', 1]), 0)
    const waits = Array.from({ length: 8 }, () => {
      agenda.begun(TURN)
      agenda.ended(TURN, 'later', 0)
      agenda.begun({ ...TURN, account: 'b' })
      return agenda.next(0).inMs
    })
    assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
    assert.equal(agenda.failuresOf(TURN), 8)
    assert.deepEqual(agenda.next(60_000).turn, TURN)
  })

  it('lets others pass what waits', () => {
    const agenda = new Agenda()
    agenda.set('n', due(['a', 0], ['b', 1]), 0)
    agenda.begun(TURN)
    agenda.ended(TURN, { afterMs: 5_000 }, 0)
    assert.deepEqual(turns(agenda, 2, 4_999), ['n/b', 'nobody'])
    assert.deepEqual(turns(agenda, 1, 5_000), ['n/a'])
    assert.equal(agenda.failuresOf(TURN), 0)
  })

  it('comes back to what was written after a second at the earliest, and has forgotten how often it failed', () => {
    const agenda = new Agenda()
    agenda.set('n', due(['a', 0]), 0)
    agenda.ended(TURN, 'later', 0)
    agenda.ended(TURN, 'done', 0)
    assert.deepEqual(agenda.next(0), { inMs: 1_000 })
    assert.equal(agenda.failuresOf(TURN), 0)
  })

  it('forgets what is due no longer, as soon as it need not be remembered', () => {
    const agenda = new Agenda()
    agenda.set('n', due(['a', 0]), 0)
    agenda.ended(TURN, 'later', 0)
    agenda.set('n', due(), 500)
    assert.equal(agenda.failuresOf(TURN), 1, 'it may be due again at once')
    agenda.set('n', due(), 1_000)
    assert.equal(agenda.failuresOf(TURN), 0)
  })

  it('knows nothing of a namespace that was dropped, also when a write there ends', () => {
    const agenda = new Agenda()
    agenda.set('n', due(['a', 0]), 0)
    agenda.begun(TURN)
    agenda.drop('n')
    agenda.ended(TURN, 'later', 0)
    assert.deepEqual(agenda.next(0), { inMs: Number.POSITIVE_INFINITY })
    assert.equal(agenda.failuresOf(TURN), 0)
  })

  it('waits no longer than usual when the clock is set back', () => {
    const agenda = new Agenda()
    agenda.set('n', due(['a', 0]), 10_000_000)
    agenda.ended(TURN, 'later', 10_000_000)
    assert.deepEqual(agenda.next(0).turn, TURN)
  })
})
