import { spawn } from 'node:child_process'
import { CountersignError } from '../../shared/errors/index.ts'

export interface RunOptions {
  /** Written to its standard input. */
  readonly input?: string
  /** A descriptor that the command has as its descriptor 3. */
  readonly descriptor?: number
  /** It is killed after this time; 5 seconds unless given. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 5_000
const LONGEST_OUTPUT = 1024 * 1024
const LONGEST_REASON = 500

// Where the programs are, in this container and on most machines; a fixed language for their messages.
export const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

/**
 * Runs a command to its end, in bounded time.
 *
 * @returns its standard output
 * @throws CountersignError ERR_CAPTURE_FAILED with what it wrote to standard error, when it cannot be started, ends
 *   with anything but 0, takes too long or writes too much
 */
export function runBounded(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { input = '', descriptor, timeoutMs = TIMEOUT_MS } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe', ...(descriptor === undefined ? [] : [descriptor])],
      env: ENVIRONMENT
    })
    const { stdin, stdout, stderr } = child
    if (stdin === null || stdout === null || stderr === null) throw new TypeError('the three are pipes')
    const fail = (why: string, cause?: unknown): void =>
      reject(new CountersignError('ERR_CAPTURE_FAILED', `${command} ${why}`, { cause, facts: { command } }))
    const outputs = { stdout: '', stderr: '' }
    const collect = (name: 'stdout' | 'stderr') => (part: string) => {
      outputs[name] += part
      if (outputs[name].length > LONGEST_OUTPUT) child.kill('SIGKILL')
    }
    stdout.setEncoding('utf8').on('data', collect('stdout'))
    stderr.setEncoding('utf8').on('data', collect('stderr'))
    // A command that ends without reading everything; its exit code tells.
    stdin.on('error', () => {})
    stdin.end(input)
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.once('error', thrown => {
      clearTimeout(timer)
      fail(`could not be started: ${thrown.message}`, thrown)
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      const reason = outputs.stderr.trim().slice(0, LONGEST_REASON)
      if (timedOut) fail(`did not end within ${timeoutMs} ms`)
      else if (code === 0) resolve(outputs.stdout)
      else fail(`ended with ${signal ?? code}${reason === '' ? '' : `: ${reason}`}`)
    })
  })
}
