import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Lock } from './lock.ts'
import { isOwn } from './stop-own-cluster.ts'

describe('the cluster that a process takes down at its end', () => {
  const self = { pid: 12, startedAt: '3456' }
  const lockOf = (owner: Lock['owner']): Lock => ({ folder: '/var/tmp/cluster', owner })

  it('is the one that it brought up, or began to', () => {
    assert.equal(isOwn(lockOf({ ...self }), self), true)
  })

  const others: Readonly<Record<string, Parameters<typeof isOwn>>> = {
    'there is none': [undefined, self],
    'it is that of another process, which refused its own': [lockOf({ pid: 13, startedAt: '3456' }), self],
    'it is that of a process which had its number before': [lockOf({ pid: 12, startedAt: '1' }), self],
    'nobody knows who it is itself': [lockOf(self), undefined]
  }
  for (const [what, question] of Object.entries(others))
    it(`is left alone where ${what}`, () => {
      assert.equal(isOwn(...question), false)
    })
})
