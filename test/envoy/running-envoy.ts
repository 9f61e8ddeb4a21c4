import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { envoyBinary } from './binary.ts'
import { eventually } from './eventually.ts'

export interface StartOptions {
  /** Proto-JSON of a Bootstrap. Its admin address, unless a file, becomes a Unix socket in `folder`. */
  readonly bootstrap: unknown
  /** The test on whose end Envoy is stopped; its logs are shown when it failed. */
  readonly test?: TestContext
  /** Where its files are; default: a folder of its own that is removed when it stops. */
  readonly folder?: string
  /** Further arguments, after `--concurrency 1 --drain-time-s 1`. */
  readonly args?: readonly string[]
}

export interface Answer {
  readonly status: number
  readonly body: string
}

/** An Envoy process of this test. */
export interface RunningEnvoy {
  readonly pid: number
  /** Asks the admin interface, for example `/config_dump`. */
  admin(path: string, method?: 'GET' | 'POST'): Promise<Answer>
  /** The value of a counter or gauge; 0 for one that is not there yet. */
  stat(name: string): Promise<number>
  /** Resolves when Envoy says LIVE: all that it waits for has come. */
  ready(deadlineMs?: number): Promise<void>
  /** What it wrote to standard output: access logs, one JSON object a line. */
  accessLog(): readonly Record<string, unknown>[]
  /** What it wrote to standard error. */
  log(): string
  /** Ends the process and waits for its end. Harmless when it has ended. */
  stop(): Promise<void>
}

const LOG_LINES_SHOWN = 60

/**
 * Runs Envoy and resolves when its admin interface answers.
 *
 * @throws Error with the end of its log when it ends instead
 */
export async function startEnvoy(options: StartOptions): Promise<RunningEnvoy> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'countersign-envoy-'))
  const config = join(folder, 'envoy.json')
  const logs = { out: join(folder, 'envoy.out'), err: join(folder, 'envoy.err') }
  const adminSocket = adminSocketOf(options.bootstrap, folder)
  writeFileSync(
    config,
    JSON.stringify({ ...(options.bootstrap as object), admin: { address: { pipe: { path: adminSocket } } } })
  )

  // Access logs would be held back for ten seconds.
  const args = [
    '--file-flush-interval-msec',
    '20',
    '--concurrency',
    '1',
    '--drain-time-s',
    '1',
    '--drain-strategy',
    'immediate'
  ]
  const process = spawn(
    envoyBinary(),
    ['--disable-hot-restart', '-l', 'warning', '-c', config, ...args, ...(options.args ?? [])],
    {
      stdio: ['ignore', 'pipe', 'pipe']
    }
  )
  process.stdout.pipe(createWriteStream(logs.out))
  process.stderr.pipe(createWriteStream(logs.err))
  const envoy = controlOf(process, adminSocket, logs, () => {
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true })
  })
  options.test?.after(async () => {
    if (options.test !== undefined && hasFailed(options.test)) showLogs(options.test, envoy)
    await envoy.stop()
  })

  try {
    await eventually(async () => {
      if (process.exitCode === null) await envoy.admin('/server_info')
    })
    if (process.exitCode !== null) throw new Error(`Envoy ended with ${process.exitCode}`)
  } catch (cause) {
    const end = lastLines(envoy.log())
    await envoy.stop()
    throw new Error(`Envoy did not start; its log ends:\n${end}`, { cause })
  }
  return envoy
}

function controlOf(
  process: ChildProcess,
  adminSocket: string,
  logs: { readonly out: string; readonly err: string },
  cleanUp: () => void
): RunningEnvoy {
  const ended = once(process, 'close')
  const admin: RunningEnvoy['admin'] = (path, method = 'GET') =>
    new Promise((resolve, reject) => {
      const asked = request({ socketPath: adminSocket, path, method, agent: false, timeout: 10_000 }, response => {
        const parts: Buffer[] = []
        response.on('data', part => parts.push(part))
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }))
      })
      asked.on('error', reject)
      asked.on('timeout', () => asked.destroy(new Error(`no answer to ${path}`)))
      asked.end()
    })
  return {
    pid: process.pid ?? 0,
    admin,
    async stat(name) {
      const { body } = await admin(
        `/stats?filter=${encodeURIComponent(`^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)}`
      )
      return Number(body.split(': ')[1] ?? 0)
    },
    ready: deadlineMs =>
      eventually(async () => {
        const { status, body } = await admin('/ready')
        if (status !== 200) throw new Error(`Envoy is not ready: ${body.trim()}`)
      }, deadlineMs),
    accessLog: () => jsonLines(readFileSync(logs.out, 'utf8')),
    log: () => readFileSync(logs.err, 'utf8'),
    async stop() {
      // SIGTERM would drain; nothing of a test's is worth waiting for.
      if (process.exitCode === null && process.signalCode === null) process.kill('SIGKILL')
      await ended
      cleanUp()
    }
  }
}

/** Lines that are whole; the last may still be being written. */
function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .slice(0, -1)
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line))
}

const lastLines = (text: string): string => text.split('\n').slice(-LOG_LINES_SHOWN).join('\n')

function showLogs(test: TestContext, envoy: RunningEnvoy): void {
  test.diagnostic(`log of Envoy ${envoy.pid}:\n${lastLines(envoy.log())}`)
  for (const entry of envoy.accessLog().slice(-LOG_LINES_SHOWN)) test.diagnostic(JSON.stringify(entry))
}

// Node.js has had it since 21.7; its type declarations have not.
const hasFailed = (test: TestContext): boolean => (test as { readonly passed?: boolean }).passed === false

interface WithAdmin {
  readonly admin?: { readonly address?: { readonly pipe?: { readonly path?: string } } }
}

/** The bootstrap's own admin socket where that is a file, else one in the folder. */
function adminSocketOf(bootstrap: unknown, folder: string): string {
  const path = (bootstrap as WithAdmin).admin?.address?.pipe?.path
  return path?.startsWith('/') ? path : join(folder, 'admin.sock')
}
