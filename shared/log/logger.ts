import { type DestinationStream, type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino'
import { CountersignError } from '../errors/index.ts'

export type { Logger } from 'pino'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

// The second net under `Sensitive`: whatever is logged under these names is hidden, however deep.
const HIDDEN_KEYS: ReadonlySet<string> = new Set([
  'token',
  'key',
  'privateKey',
  'csr',
  'volumeContext',
  'volume_context',
  'secrets',
  'authorization'
])
const DEEPEST = 5

// pino's own redaction writes into what it is given, which frozen values do not allow.
function hide(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return value
  if (value instanceof Error || ('toJSON' in value && typeof value.toJSON === 'function')) return value
  if (Array.isArray(value)) return value.map(item => hide(item, depth + 1))
  const entries = Object.entries(value)
  return Object.fromEntries(
    entries.map(([key, held]) => [key, HIDDEN_KEYS.has(key) ? '[redacted]' : hide(held, depth + 1)])
  )
}

const hideFields = (fields: Record<string, unknown>): Record<string, unknown> => hide(fields) as Record<string, unknown>

/** What a log line holds of an error: the whole chain of causes, facts as fields, no stack for our own errors. */
function describeError(thrown: unknown): Record<string, unknown> {
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
    formatters: { level: label => ({ level: label }), log: hideFields, bindings: hideFields },
    serializers: { err: describeError }
  }
  // Written synchronously: an asynchronous write that is under way when the process exits is lost, or comes after the
  // lines that were logged later, and the last lines are those that tell why it ended.
  return pino(options, destination ?? pino.destination({ dest: process.stdout.fd, sync: true }))
}
