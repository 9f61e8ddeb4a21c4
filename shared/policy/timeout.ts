const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const DURATION = /^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h)){1,4}$/

const SHORTEST_MS = 1
const LONGEST_MS = 60_000

export const TIMEOUT_ALLOWED = 'a duration from 1ms to 60s such as 5s or 500ms'

/** A duration as Kubernetes and Istio write it, in milliseconds; undefined when it is none, or none that is allowed. */
export function timeoutMs(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)([a-z]+)/g))
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0)
  return total >= SHORTEST_MS && total <= LONGEST_MS ? Math.round(total) : undefined
}
