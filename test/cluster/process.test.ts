import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { afterEach, describe, it } from 'node:test'
import { childrenOf, goneWithin, identify, isAlive, processesIn, signal } from './process.ts'
import { until } from './until.ts'

describe('a process', () => {
  const started: ChildProcess[] = []
  const sleeper = (): number => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    started.push(child)
    assert.ok(child.pid)
    return child.pid
  }
  afterEach(async () => {
    for (const child of started.splice(0)) {
      const ended = once(child, 'exit')
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await ended
      }
    }
  })

  it('is known by its number and the time of its start', () => {
    const id = identify(process.pid)
    assert.ok(id)
    assert.ok(isAlive(id))
    assert.equal(isAlive({ ...id, startedAt: '1' }), false, 'another process with the same number')
  })

  it('is gone after it was killed, and can be signalled in vain', async () => {
    const id = identify(sleeper())
    assert.ok(id)
    assert.equal(await goneWithin(id, 100), false)
    signal(id.pid, 'SIGKILL')
    assert.equal(await goneWithin(id, 10_000), true)
    assert.equal(identify(id.pid), undefined)
    signal(id.pid, 'SIGKILL')
  })

  it('is found among the children of its parent, and by its network namespace', async () => {
    const pid = sleeper()
    await until(
      () => (childrenOf(process.pid).includes(pid) ? true : undefined),
      10_000,
      () => new Error('no child')
    )
    const here = processesIn(readlinkSync('/proc/self/ns/net'))
    assert.ok(here.includes(pid) && here.includes(process.pid))
    assert.deepEqual(processesIn('net:[1]'), [])
  })

  it('has no children when it does not exist', () => {
    assert.deepEqual(childrenOf(2 ** 22 + 1), [])
    assert.equal(identify(2 ** 22 + 1), undefined)
  })
})
