import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { UnknownKeyReports } from './index.ts'

describe('reports of unknown keys', () => {
  let clock: FakeClock
  let reported: string[]
  let lines: string[]
  let answer: () => Promise<void>
  let reports: UnknownKeyReports
  beforeEach(() => {
    clock = new FakeClock()
    reported = []
    lines = []
    answer = async () => {}
    reports = new UnknownKeyReports({
      report: podUid => {
        reported.push(podUid)
        return answer()
      },
      clock,
      log: createLogger('test', 'info', { write: line => lines.push(line) })
    })
  })

  it('go out at once', () => {
    reports.seen('a')
    assert.deepEqual(reported, ['a'])
  })

  it('are two a second for a pod that sees a thousand', async () => {
    for (let tenth = 0; tenth < 100; tenth++) {
      for (let one = 0; one < 10; one++) reports.seen('a')
      await clock.advance(100)
    }
    assert.ok(reported.length >= 19 && reported.length <= 21, `${reported.length} in ten seconds`)
  })

  it('stand for all that came since the one before, and are none when nothing came', async () => {
    reports.seen('a')
    reports.seen('a')
    reports.seen('a')
    await clock.advance(400)
    assert.deepEqual(reported, ['a'])
    await clock.advance(100)
    assert.deepEqual(reported, ['a', 'a'])
    await clock.advance(60_000)
    assert.deepEqual(reported, ['a', 'a'])
    assert.equal(clock.pending, 0, 'nothing is kept of a pod that is quiet')
  })

  it('of one pod do not hold up those of another', () => {
    answer = () => new Promise(() => {})
    reports.seen('a')
    reports.seen('b')
    assert.deepEqual(reported, ['a', 'b'])
  })

  it('wait for the one before to be answered', async () => {
    let done = (): void => {}
    answer = () => new Promise(resolve => (done = resolve))
    reports.seen('a')
    reports.seen('a')
    await clock.advance(60_000)
    assert.deepEqual(reported, ['a'])
    done()
    await clock.advance(500)
    assert.deepEqual(reported, ['a', 'a'])
  })

  it('that the authority does not take are told, and tried no more until the next', async () => {
    answer = () => Promise.reject(new CountersignError('ERR_AUTHORITY_UNAVAILABLE', 'the authority is away'))
    reports.seen('a')
    await clock.advance(1_000)
    assert.deepEqual(reported, ['a'])
    assert.match(lines.join(''), /ERR_AUTHORITY_UNAVAILABLE.*an unknown key was not reported/s)
    reports.seen('a')
    assert.deepEqual(reported, ['a', 'a'])
  })

  it('end when closed', async () => {
    reports.seen('a')
    reports.seen('a')
    await clock.advance(0)
    reports.close()
    await clock.advance(60_000)
    reports.seen('b')
    assert.deepEqual(reported, ['a'])
    assert.equal(clock.pending, 0)
  })
})
