import { CountersignError } from '../errors/index.ts'
import { createLogger, LOG_LEVELS, type Logger, type LogLevel } from '../log/index.ts'
import { helpText } from './help.ts'
import { defineOptions, type OptionsOf, type OptionTable } from './option.ts'
import { parseOptions } from './parse-options.ts'
import { oneOf } from './parser.ts'

/** A program that runs. */
export interface Running {
  /** Stops taking on work, finishes what is under way, frees everything. */
  close(): Promise<void>
}

const EXIT = { done: 0, failed: 1, optionsWrong: 2 } as const

// Below the 30 s that Kubernetes waits before it kills, with room for a preStop hook.
const CLOSE_DEADLINE_MS = 10_000

const COMMON = defineOptions({
  logLevel: {
    flag: 'log-level',
    env: 'COUNTERSIGN_LOG_LEVEL',
    group: 'Logging',
    description: 'The least severe log lines that are written, as JSON on standard output.',
    parser: oneOf(LOG_LEVELS),
    default: 'info'
  }
})

/**
 * The whole of a `main.ts`: reads the options from the command line and the environment, starts the program, closes
 * it on SIGTERM or SIGINT. Every program has `--help` and `--log-level` beside its own options.
 *
 * Exit codes: 0 after a close that finished within 10 s; 2 when options are wrong, told as lines for people on
 * standard error; 1 when the start failed, the close did not finish, or something was thrown that nobody caught.
 * What cannot be caught is logged first; a second signal ends without waiting.
 */
export async function runMain<const Table extends OptionTable>(
  program: string,
  description: string,
  table: Table,
  start: (options: OptionsOf<Table>, log: Logger) => Promise<Running>
): Promise<void> {
  const argv = process.argv.slice(2)
  const all = defineOptions({ ...table, ...COMMON })
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(helpText(program, description, all))
    return
  }
  try {
    const options = parseOptions<OptionTable>(all, argv, process.env)
    const log = createLogger(program, options['logLevel'] as LogLevel)
    endOnUncaught(log)
    log.info({ options, pid: process.pid, node: process.version }, 'starting')
    // First, so that a signal never finds a program that has begun to start and cannot close.
    closeOnSignal(log, () => running)
    const running = start(options as OptionsOf<Table>, log)
    await running.catch(thrown => {
      if (isOptionError(thrown)) throw thrown
      log.fatal({ err: CountersignError.from(thrown) }, 'start failed')
      process.exit(EXIT.failed)
    })
    log.info('started')
  } catch (thrown) {
    if (!isOptionError(thrown)) throw thrown
    process.stderr.write(describeProblems(program, thrown))
    process.exit(EXIT.optionsWrong)
  }
}

function isOptionError(thrown: unknown): thrown is CountersignError {
  return thrown instanceof CountersignError && thrown.code === 'ERR_OPTION_INVALID'
}

function describeProblems(program: string, error: CountersignError): string {
  const listed = error.facts['problems']
  const problems = Array.isArray(listed) ? listed : [error.message]
  const lines = problems.map(problem => `  ${problem}`)
  return [
    `${program}: cannot start with these options`,
    ...lines,
    `\`${program} --help\` tells what is allowed`,
    ''
  ].join('\n')
}

function endOnUncaught(log: Logger): void {
  const end = (what: string) => (thrown: unknown) => {
    log.fatal({ err: CountersignError.from(thrown) }, what)
    process.exit(EXIT.failed)
  }
  process.on('unhandledRejection', end('a promise was rejected that nobody waits for'))
  process.on('uncaughtException', end('an exception was thrown that nobody catches'))
}

function closeOnSignal(log: Logger, running: () => Promise<Running>): void {
  let closing = false
  const close = async (signal: NodeJS.Signals): Promise<void> => {
    if (closing) {
      log.warn({ signal }, 'second signal, ending without waiting')
      process.exit(EXIT.failed)
    }
    closing = true
    log.info({ signal, deadlineMs: CLOSE_DEADLINE_MS }, 'closing')
    // Not unref: it must also fire when nothing else keeps the process alive.
    setTimeout(() => {
      log.error({ deadlineMs: CLOSE_DEADLINE_MS }, 'not everything closed before the deadline, ending now')
      process.exit(EXIT.failed)
    }, CLOSE_DEADLINE_MS)
    try {
      await (await running()).close()
    } catch (thrown) {
      log.error({ err: CountersignError.from(thrown) }, 'closing failed')
      process.exit(EXIT.failed)
    }
    log.info('closed')
    process.exit(EXIT.done)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, signal => void close(signal))
}
