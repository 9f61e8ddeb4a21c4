import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '../../test/fakes/clock.ts'
import { QuietLog } from './index.ts'

describe('a quiet log', () => {
  it('lets the first through, counts the rest, and tells the count with the next that passes', async () => {
    const clock = new FakeClock()
    const quiet = new QuietLog(clock, 1_000)
    const said: number[] = []
    const say = (): void => quiet.once('pod:a', ({ suppressed }) => said.push(suppressed))
    for (let times = 0; times < 5; times++) say()
    assert.deepEqual(said, [0])
    await clock.advance(1_000)
    say()
    say()
    assert.deepEqual(said, [0, 4])
  })

  it('keeps keys apart', () => {
    const quiet = new QuietLog(new FakeClock())
    const said: string[] = []
    for (const key of ['a', 'b', 'a']) quiet.once(key, () => said.push(key))
    assert.deepEqual(said, ['a', 'b'])
  })

  it('forgets keys of long ago', async () => {
    const clock = new FakeClock()
    const quiet = new QuietLog(clock, 1_000)
    for (let key = 0; key < 100; key++) quiet.once(String(key), () => {})
    await clock.advance(2_000)
    quiet.once('other', () => {})
    assert.equal(quiet.size, 1)
  })
})
