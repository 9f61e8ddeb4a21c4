import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'

// Real processes: exit codes, signals and uncaught errors cannot be seen from inside.

interface Program {
  readonly process: ChildProcess
  readonly lines: Record<string, unknown>[]
  readonly stdout: () => string
  readonly stderr: () => string
  until(message: string): Promise<void>
  exit(): Promise<number | null>
}

/** Starts a program whose `start` has the given body; `options` and `log` are in its scope. */
function program(body: string, argv: readonly string[] = [], env: Record<string, string> = {}): Program {
  const source = `
    import { defineOptions, integer, optionsInvalid, runMain } from './index.ts'
    const table = defineOptions({ count: { flag: 'count', env: 'COUNTERSIGN_COUNT', group: 'Test',
      description: 'Counts.', parser: integer(1, 9), default: '3' } })
    const alive = () => { setInterval(() => undefined, 1_000) }
    await runMain('countersign-test', 'a program of a test', table, async (options, log) => { ${body} })`
  const child = spawn(
    process.execPath,
    ['--input-type=module-typescript', '--eval', source, '--', 'main.ts', ...argv],
    {
      cwd: import.meta.dirname,
      env: { ...env, PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', 'pipe', 'pipe']
    }
  )
  const closed = once(child, 'close')
  const lines: Record<string, unknown>[] = []
  let stdout = ''
  let stderr = ''
  let wake: () => void = () => undefined
  createInterface(child.stdout).on('line', line => {
    stdout += `${line}\n`
    if (line.startsWith('{')) lines.push(JSON.parse(line))
    wake()
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  child.on('close', () => wake())
  return {
    process: child,
    lines,
    stdout: () => stdout,
    stderr: () => stderr,
    async until(message) {
      while (!lines.some(line => line['msg'] === message)) {
        assert.equal(child.exitCode ?? child.signalCode, null, `ended before it logged "${message}": ${stderr}`)
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    },
    exit: async () => (await closed)[0]
  }
}

const messages = (one: Program): unknown[] => one.lines.map(line => line['msg'])

describe('a program', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`closes on ${signal} and ends with 0`, async () => {
      const one = program(`alive(); return { close: async () => log.info('work finished') }`)
      await one.until('started')
      one.process.kill(signal)
      assert.equal(await one.exit(), 0)
      assert.deepEqual(messages(one), ['starting', 'started', 'closing', 'work finished', 'closed'])
    })

  it('logs its options as it starts, and takes them from flags and variables', async () => {
    const one = program(`alive(); return { close: async () => undefined }`, ['--log-level', 'debug'], {
      COUNTERSIGN_COUNT: '7'
    })
    await one.until('started')
    one.process.kill('SIGTERM')
    assert.equal(await one.exit(), 0)
    assert.deepEqual(one.lines[0]?.['options'], { count: 7, logLevel: 'debug' })
  })

  it('that is told to close while it starts waits for the start and then closes', async () => {
    const one = program(`alive()
      log.info('half way')
      await new Promise(resolve => process.once('SIGTERM', resolve))
      return { close: async () => log.info('work finished') }`)
    await one.until('half way')
    one.process.kill('SIGTERM')
    assert.equal(await one.exit(), 0)
    assert.ok(messages(one).includes('work finished'))
  })

  it('whose close hangs says that the deadline was used, and ends with 1', async () => {
    // The deadline of 10 s is fired at once: what is tested is what happens then.
    const one = program(`const original = globalThis.setTimeout
      globalThis.setTimeout = ((callback, ms) => original(callback, ms === 10_000 ? 0 : ms)) as typeof setTimeout
      alive(); return { close: () => new Promise(() => undefined) }`)
    await one.until('started')
    one.process.kill('SIGTERM')
    assert.equal(await one.exit(), 1)
    assert.equal(one.lines.at(-1)?.['msg'], 'not everything closed before the deadline, ending now')
    assert.equal(one.lines.at(-1)?.['deadlineMs'], 10_000)
  })

  it('ends without waiting on a second signal', async () => {
    const one = program(`alive(); return { close: () => new Promise(() => undefined) }`)
    await one.until('started')
    one.process.kill('SIGTERM')
    await one.until('closing')
    one.process.kill('SIGINT')
    assert.equal(await one.exit(), 1)
    assert.equal(one.lines.at(-1)?.['msg'], 'second signal, ending without waiting')
  })

  it('whose close fails says so and ends with 1', async () => {
    const one = program(`alive(); return { close: async () => { throw new Error('stuck') } }`)
    await one.until('started')
    one.process.kill('SIGTERM')
    assert.equal(await one.exit(), 1)
    assert.equal(one.lines.at(-1)?.['msg'], 'closing failed')
  })

  it('whose start fails logs why and ends with 1', async () => {
    const one = program(`throw new Error('no luck')`)
    assert.equal(await one.exit(), 1)
    assert.equal(one.lines.at(-1)?.['msg'], 'start failed')
    assert.equal(one.lines.at(-1)?.['level'], 'fatal')
    assert.match(JSON.stringify(one.lines.at(-1)), /no luck/)
  })

  it('ends with 1 after a rejection that nobody waits for', async () => {
    const one = program(`alive(); void Promise.reject(new Error('lost')); return { close: async () => undefined }`)
    assert.equal(await one.exit(), 1)
    assert.equal(one.lines.at(-1)?.['msg'], 'a promise was rejected that nobody waits for')
  })

  it('ends with 1 after an exception that nobody catches', async () => {
    const one = program(
      `alive(); setImmediate(() => { throw new Error('lost') }); return { close: async () => undefined }`
    )
    assert.equal(await one.exit(), 1)
    assert.equal(one.lines.at(-1)?.['msg'], 'an exception was thrown that nobody catches')
  })
})

describe('a program with wrong options', () => {
  it('tells people, one line each on standard error, and ends with 2 without starting', async () => {
    const one = program(`log.info('must not start')`, ['--cuont', '4', '--log-level=loud'], { COUNTERSIGN_COUNT: '10' })
    assert.equal(await one.exit(), 2)
    assert.equal(one.stdout(), '')
    assert.deepEqual(one.stderr().split('\n'), [
      'countersign-test: cannot start with these options',
      '  --cuont: unknown option; did you mean "count"',
      '  COUNTERSIGN_COUNT "10": expected a whole number from 1 to 9',
      '  --log-level "loud": expected one of trace, debug, info, warn, error, fatal',
      '`countersign-test --help` tells what is allowed',
      ''
    ])
  })

  it('does the same when only its start finds them wrong together', async () => {
    const one = program(`throw optionsInvalid(['--count and --size: expected only one of them'])`)
    assert.equal(await one.exit(), 2)
    assert.match(one.stderr(), /^ {2}--count and --size: expected only one of them$/m)
  })
})

describe('a program asked for help', () => {
  for (const flag of ['--help', '-h'])
    it(`with ${flag} prints it and ends with 0, whatever else is wrong`, async () => {
      const one = program(`log.info('must not start')`, ['--count', 'x', flag])
      assert.equal(await one.exit(), 0)
      assert.match(one.stdout(), /^countersign-test: a program of a test\n/)
      assert.match(one.stdout(), /--count <number>/)
      assert.match(one.stdout(), /--log-level <trace\|debug/)
      assert.equal(one.lines.length, 0)
    })
})
