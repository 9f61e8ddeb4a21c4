import { Counter, Histogram, type Registry } from 'prom-client'

/** What the door counts. */
export interface AdmissionMetrics {
  reviewed(path: string, outcome: string, reason: string, seconds: number): void
  /** A request that was no review; `status` is that of HTTP. */
  turnedAway(status: number): void
}

export function createAdmissionMetrics(registry: Registry): AdmissionMetrics {
  const registers = [registry]
  const reviews = new Counter({
    name: 'countersign_webhook_reviews_total',
    help: 'Admission reviews answered, by path, outcome (injected, mounted, skipped, accepted, refused) and reason.',
    labelNames: ['path', 'outcome', 'reason'],
    registers
  })
  const duration = new Histogram({
    name: 'countersign_webhook_review_duration_seconds',
    help: 'Time from the parsed request to the answer.',
    labelNames: ['path'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers
  })
  const badRequests = new Counter({
    name: 'countersign_webhook_bad_requests_total',
    help: 'Requests that were no admission review, by HTTP status.',
    labelNames: ['status'],
    registers
  })
  return {
    reviewed(path, outcome, reason, seconds) {
      reviews.inc({ path, outcome, reason })
      duration.observe({ path }, seconds)
    },
    turnedAway: status => badRequests.inc({ status })
  }
}
