import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ClusterError } from './cluster-error.ts'

/** How a program ended, and all that it wrote. */
export interface Outcome {
  /** The exit code; 128 and the signal's number when a signal ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** Written to its standard input, which is empty otherwise. */
  readonly input?: string | AsyncIterable<Buffer>
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Called with what it writes to standard error, as it comes. */
  readonly onStderr?: (text: string) => void
  readonly signal?: AbortSignal
}

// Where Debian keeps programs for root; not everybody's PATH has it.
const PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`

export const environment = (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH,
  ...more
})

/**
 * Runs a program to its end, whatever that is.
 *
 * @throws ClusterError when it cannot be started
 */
export async function outcomeOf(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { input, env, cwd, onStderr, signal } = options
  const child = spawn(command, args, {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: environment(env),
    ...(cwd === undefined ? {} : { cwd }),
    ...(signal === undefined ? {} : { signal })
  })
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    onStderr?.(text)
  })
  const ended = new Promise<number>((done, failed) => {
    child.once('error', cause =>
      failed(new ClusterError(`${command} could not be run: ${cause.message}`, 'see above', { cause }))
    )
    child.once('close', (code, killer) => done(exitCode(code, killer)))
  })
  const feeding = child.stdin === null ? undefined : feed(child.stdin, input ?? '')
  // Both are waited for, whichever fails.
  const [fed, end] = await Promise.allSettled([feeding, ended])
  if (end.status === 'rejected') throw end.reason
  if (fed.status === 'rejected') throw fed.reason
  return { code: end.value, stdout, stderr }
}

/** @throws what `input` throws; a program that ends before it has read everything is judged by how it ended */
async function feed(stdin: Writable, input: string | AsyncIterable<Buffer>): Promise<void> {
  let broken: { readonly thrown: unknown } | undefined
  await pipeline(async function* () {
    try {
      yield* typeof input === 'string' ? [input] : input
    } catch (thrown) {
      broken = { thrown }
      throw thrown
    }
  }, stdin).catch(() => {})
  if (broken !== undefined) throw broken.thrown
}

/** How a shell tells the end of a program: 128 and its number for a signal. */
export const exitCode = (code: number | null, killer: NodeJS.Signals | null): number =>
  code ?? 128 + (killer === null ? 0 : constants.signals[killer])

/**
 * Runs a program that must succeed.
 *
 * @returns what it wrote to standard output
 * @throws ClusterError with the end of what it wrote
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await outcomeOf(command, args, options)
  if (code === 0) return stdout
  const said = lastLines(stderr.trim() === '' ? stdout : stderr)
  throw new ClusterError(
    `\`${[command, ...args].join(' ')}\` ended with exit code ${code}: ${said}`,
    'the message above says why'
  )
}

export const lastLines = (text: string, count = 12): string => text.trim().split('\n').slice(-count).join('\n')
