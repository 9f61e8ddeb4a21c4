import { parseDuration } from '../duration/index.ts'

const SHORTEST_MS = 1
const LONGEST_MS = 60_000

export const TIMEOUT_ALLOWED = 'a duration from 1ms to 60s such as 5s or 500ms'

/** A duration as Kubernetes and Istio write it, in milliseconds; undefined when it is none, or none that is allowed. */
export function timeoutMs(text: string): number | undefined {
  const ms = parseDuration(text)
  return ms !== undefined && ms >= SHORTEST_MS && ms <= LONGEST_MS ? ms : undefined
}
