import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'

function webhook(argv: readonly string[]) {
  return spawn(process.execPath, ['main.ts', ...argv], {
    cwd: import.meta.dirname,
    env: {
      PATH: process.env['PATH'] ?? '',
      COUNTERSIGN_LISTEN_ADDRESS: '127.0.0.1:0',
      COUNTERSIGN_HEALTH_ADDRESS: '127.0.0.1:0'
    },
    stdio: ['ignore', 'pipe', 'pipe']
  })
}

describe('the program', () => {
  it('starts, says that it is ready, and ends with 0 on SIGTERM', async () => {
    const child = webhook(['--shutdown-delay', '0s'])
    const closed = once(child, 'close')
    const messages: unknown[] = []
    for await (const line of createInterface(child.stdout)) {
      messages.push(JSON.parse(line).msg)
      if (messages.at(-1) === 'started') child.kill('SIGTERM')
    }
    assert.deepEqual(await closed, [0, null])
    assert.ok(messages.includes('ready'))
    assert.equal(messages.at(-1), 'closed')
  })

  it('does not start with options that are wrong', async () => {
    const child = webhook(['--proxy-memory', '64m'])
    let told = ''
    child.stderr.on('data', chunk => {
      told += chunk
    })
    assert.deepEqual(await once(child, 'close'), [2, null])
    assert.match(told, /--proxy-memory "64m": expected an amount of memory from 16Mi to 1Ti/)
  })
})
