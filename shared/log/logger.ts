import { type DestinationStream, type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino'
import { CountersignError } from '../errors/index.ts'

export type { Logger } from 'pino'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

// The second net under `Sensitive`: whatever is logged under these names is hidden, at the first three levels.
const HIDDEN_KEYS = ['token', 'key', 'privateKey', 'csr', 'volumeContext', 'volume_context', 'secrets', 'authorization']
const redact = HIDDEN_KEYS.flatMap(key => [key, `*.${key}`, `*.*.${key}`])

/** What a log line holds of an error: the whole chain of causes, facts as fields, no stack for our own errors. */
export function describeError(thrown: unknown): Record<string, unknown> {
  if (!(thrown instanceof Error)) return { message: String(thrown) }
  const cause = thrown.cause === undefined ? {} : { cause: describeError(thrown.cause) }
  if (thrown instanceof CountersignError)
    return { code: thrown.code, message: thrown.message, ...thrown.facts, ...cause }
  const code = 'code' in thrown ? { code: thrown.code } : {}
  return { type: thrown.name, ...code, message: thrown.message, stack: thrown.stack, ...cause }
}

/**
 * The logger of a program: JSON lines on standard output, ISO 8601 times in UTC, levels by name. Rooms get a child
 * with `room` set. Pass errors as `err`.
 */
export function createLogger(program: string, level: LogLevel, destination?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: { program },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    serializers: { err: describeError },
    redact: { paths: redact, censor: '[redacted]' }
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}
