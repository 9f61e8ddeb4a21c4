// Logs: pino, JSON lines, facts in fields and not in the sentence.
//
// In: a program's name and level. Out: a Logger to be passed on, a child per room.
// Never: prints a key, a token or a certificate request (`Sensitive` and a list of hidden names see to it).

export { createLogger, LOG_LEVELS, type Logger, type LogLevel } from './logger.ts'
export { Sensitive } from './sensitive.ts'
