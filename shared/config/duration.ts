import type { Parser } from './parser.ts'

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const DURATION = /^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$/

/** `500ms`, `30s`, `1h30m`, `90d` in milliseconds; `undefined` for anything else, a number without a unit included. */
function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)([a-z]+)/g))
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0)
  return Math.round(total)
}

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
