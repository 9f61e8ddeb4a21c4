const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const DURATION = /^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h|d)){1,5}$/

/** `500ms`, `30s`, `1h30m`, `90d` in milliseconds; `undefined` for anything else, a number without a unit included. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)([a-z]+)/g))
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0)
  return Math.round(total)
}

/** The shortest text that `parseDuration` reads as this many milliseconds, of days and smaller units: `1d12h`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms)
  let text = ''
  for (const [unit, size] of Object.entries(UNIT_MS).reverse()) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}
