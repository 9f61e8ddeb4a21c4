import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Slots } from './slots.ts'

const never = new AbortController().signal

function crowd(slots: Slots) {
  const running: string[] = []
  const ends = new Map<string, (failed?: Error) => void>()
  const run = (name: string, suspect = false, signal = never): Promise<void> =>
    slots.run(
      suspect,
      signal,
      () =>
        new Promise((resolve, reject) => {
          running.push(name)
          ends.set(name, failed => {
            running.splice(running.indexOf(name), 1)
            if (failed === undefined) resolve()
            else reject(failed)
          })
        })
    )
  return { running, run, end: (name: string, failed?: Error) => ends.get(name)?.(failed) }
}

const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('slots', () => {
  it('let so many run at the same time, the others in their order', async () => {
    const { running, run, end } = crowd(new Slots(2))
    const all = ['a', 'b', 'c', 'd'].map(name => run(name))
    await settled()
    assert.deepEqual(running, ['a', 'b'])
    end('b')
    await settled()
    assert.deepEqual(running, ['a', 'c'])
    for (const name of ['a', 'c']) end(name)
    await settled()
    end('d')
    await Promise.all(all)
  })

  it('are free again after a failure', async () => {
    const { running, run, end } = crowd(new Slots(1))
    const failing = run('a')
    const next = run('b')
    await settled()
    end('a', new Error('it failed'))
    await assert.rejects(failing, /it failed/)
    await settled()
    assert.deepEqual(running, ['b'])
    end('b')
    await next
  })

  it('leave half to those that did not fail, whoever came first', async () => {
    const { running, run, end } = crowd(new Slots(4))
    const suspects = ['s1', 's2', 's3', 's4', 's5'].map(name => run(name, true))
    const others = ['a', 'b', 'c'].map(name => run(name))
    await settled()
    assert.deepEqual(running, ['s1', 's2', 'a', 'b'])
    end('a')
    await settled()
    assert.deepEqual(running, ['s1', 's2', 'b', 'c'])
    end('s1')
    await settled()
    assert.deepEqual(running, ['s2', 'b', 'c', 's3'])
    for (const name of ['s2', 'b', 'c', 's3']) end(name)
    await settled()
    for (const name of ['s4', 's5']) end(name)
    await Promise.all([...suspects, ...others])
  })

  it('are not waited for by who was told to end', async () => {
    const { running, run, end } = crowd(new Slots(1))
    const stop = new AbortController()
    const first = run('a')
    const waiting = run('b', false, stop.signal)
    const third = run('c')
    stop.abort(new Error('closed'))
    await assert.rejects(waiting, /closed/)
    await assert.rejects(run('d', false, stop.signal), /closed/)
    end('a')
    await settled()
    assert.deepEqual(running, ['c'])
    end('c')
    await Promise.all([first, third])
  })
})
