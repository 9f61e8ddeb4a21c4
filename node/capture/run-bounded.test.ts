import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runBounded } from './run-bounded.ts'

describe('a command', () => {
  it('is given its input and gives its output', async () => {
    assert.equal(await runBounded('cat', [], { input: 'a\nb\n' }), 'a\nb\n')
  })

  it('may take no input', async () => {
    assert.equal(await runBounded('true', [], { input: 'x'.repeat(1_000_000) }), '')
  })

  it('has a descriptor of ours as its third', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-run-'))
    writeFileSync(join(folder, 'file'), 'content')
    const descriptor = openSync(join(folder, 'file'), 'r')
    try {
      assert.equal(await runBounded('cat', ['/proc/self/fd/3'], { descriptor }), 'content')
    } finally {
      closeSync(descriptor)
      rmSync(folder, { recursive: true })
    }
  })

  it('sees nothing of our environment, and speaks English', async () => {
    const environment = await runBounded('env', [])
    assert.deepEqual(
      environment
        .trim()
        .split('\n')
        .map(line => line.split('=')[0])
        .sort(),
      ['LC_ALL', 'PATH']
    )
  })

  const failing: Record<string, [command: string, args: readonly string[], timeoutMs: number, message: RegExp]> = {
    'is not there': [
      'countersign-no-such-program',
      [],
      30_000,
      /^countersign-no-such-program could not be started: .*ENOENT/
    ],
    'ends with a complaint': [
      'sh',
      ['-c', 'echo "no such chain" >&2; exit 3'],
      30_000,
      /^sh ended with 3: no such chain$/
    ],
    'ends without a word': ['false', [], 30_000, /^false ended with 1$/],
    'is killed': ['sh', ['-c', 'kill -9 $$'], 30_000, /^sh ended with SIGKILL$/],
    'does not end': ['sleep', ['60'], 50, /^sleep did not end within 50 ms$/],
    'writes without end': ['yes', [], 30_000, /^yes ended with SIGKILL$/]
  }
  for (const [title, [command, args, timeoutMs, message]] of Object.entries(failing))
    it(`that ${title} is an error that says so`, async () => {
      await assert.rejects(runBounded(command, args, { timeoutMs }), { code: 'ERR_CAPTURE_FAILED', message })
    })

  it('that complains at length is quoted in part', async () => {
    await assert.rejects(
      runBounded('sh', ['-c', 'yes | head -c 100000 >&2; exit 1']),
      ({ message }: Error) => message.length < 600
    )
  })
})
