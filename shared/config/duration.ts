import { parseDuration } from '../duration/index.ts'
import type { Parser } from './parser.ts'

/** A duration in milliseconds, both ends of the range included; the ends are written as a user would: `1s`, `90d`. */
export function duration(min = '0ms', max = '36500d'): Parser<number> {
  const minMs = parseDuration(min)
  const maxMs = parseDuration(max)
  if (minMs === undefined || maxMs === undefined) throw new TypeError(`not a range of durations: ${min} to ${max}`)
  return {
    placeholder: 'duration',
    allowed: `a duration from ${min} to ${max} such as 500ms, 30s, 1h30m or 7d`,
    parse(text) {
      const value = parseDuration(text)
      return value !== undefined && value >= minMs && value <= maxMs ? value : undefined
    }
  }
}
