import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClusterError } from './cluster-error.ts'
import { outcomeOf, run } from './run.ts'

describe('run', () => {
  it('gives back what a program wrote, and hands it its input', async () => {
    assert.equal(await run('cat', [], { input: 'in and out' }), 'in and out')
  })

  it('adds to the environment', async () => {
    assert.equal(await run('sh', ['-c', 'echo "$WORD"'], { env: { WORD: 'heard' } }), 'heard\n')
  })

  it('refuses a program that fails, with the end of what it said', async () => {
    await assert.rejects(
      run('sh', ['-c', 'echo out; echo why >&2; exit 3']),
      error => error instanceof ClusterError && /ended with exit code 3: why$/.test(error.message)
    )
  })

  it('refuses a program that is not there', async () => {
    await assert.rejects(run('no-such-program', []), ClusterError)
  })

  it('judges a program that does not read its input by how it ends', async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) yield Buffer.alloc(1 << 16)
    }
    assert.equal((await outcomeOf('true', [], { input: endless() })).code, 0)
    assert.equal((await outcomeOf('false', [], { input: endless() })).code, 1)
  })

  it('tells when its input could not be made, whatever the program thought of what it got', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('some')
      throw new Error('the rest is missing')
    }
    await assert.rejects(run('cat', [], { input: broken() }), /the rest is missing/)
  })

  it('says so when a signal ended it', async () => {
    assert.equal((await outcomeOf('sh', ['-c', 'kill -9 $$'])).code, 137)
  })
})
