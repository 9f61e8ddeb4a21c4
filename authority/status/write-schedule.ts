import { difference } from './conditions.ts'
import type { LiveObject } from './followed-objects.ts'
import { type ObjectStatus, subjectOf } from './policy-status.ts'
import { endedConflict } from './service-statuses.ts'
import { closedConditions, INVALID_CLOSED } from './unreadable-statuses.ts'

type Wanted = Pick<ObjectStatus, 'conditions' | 'generation'>

/** A status that is to be written now. */
export interface Due {
  readonly subject: string
  readonly live: LiveObject
  readonly wanted: Wanted
}

interface Course {
  /** Not written to before. */
  readonly notBefore: number
  /** In a row. */
  readonly failures: number
  /** Since when it differs in something that may pass. */
  readonly differsSince: number | undefined
}

/** A difference that may pass is written after so long: a rollout, a fetch that is repeated. */
const PASSING_MS = 10_000
/** Somebody else who insists on something else is not fought faster than this. */
const BETWEEN_MS = 1_000
const LONGEST_MS = 60_000
const FRESH: Course = { notBefore: Number.NEGATIVE_INFINITY, failures: 0, differsSince: undefined }

/** Says which status is to be written, and when. Times are milliseconds since the epoch. */
export class WriteSchedule {
  #wanted: ReadonlyMap<string, ObjectStatus> = new Map()
  readonly #courses = new Map<string, Course>()

  /** All that is wanted now. */
  want(statuses: readonly ObjectStatus[]): void {
    this.#wanted = new Map(statuses.map(status => [subjectOf(status), status]))
  }

  /** What is due, or how long until something is. */
  next(policies: Iterable<readonly [string, LiveObject]>, now: number): { readonly due?: Due; readonly inMs: number } {
    let inMs = Number.POSITIVE_INFINITY
    const seen = new Set<string>()
    for (const [subject, live] of policies) {
      seen.add(subject)
      const wanted = this.#wantedOf(subject, live)
      if (wanted === undefined) continue
      const at = this.#dueAt(subject, live, wanted, now)
      if (at <= now) return { due: { subject, live, wanted }, inMs: 0 }
      inMs = Math.min(inMs, at - now)
    }
    for (const subject of this.#courses.keys()) if (!seen.has(subject)) this.#courses.delete(subject)
    return { inMs }
  }

  written(subject: string, now: number): void {
    this.#courses.set(subject, { ...FRESH, notBefore: now + BETWEEN_MS })
  }

  /** How often it had failed before, in a row. */
  failed(subject: string, now: number): number {
    const course = this.#courses.get(subject) ?? FRESH
    const delayMs = Math.min(LONGEST_MS, BETWEEN_MS * 2 ** course.failures)
    this.#courses.set(subject, { ...course, failures: course.failures + 1, notBefore: now + delayMs })
    return course.failures
  }

  #wantedOf(subject: string, live: LiveObject): Wanted | undefined {
    const wanted = this.#wanted.get(subject)
    if (live.kind === 'Service') return wanted ?? endedConflict(live.conditions)
    if (live.issues === undefined || wanted?.conditions.some(({ reason }) => reason === INVALID_CLOSED)) return wanted
    // What is wanted was worked out before the policy became so.
    const conditions = closedConditions(live.kind, { issues: live.issues })
    return { conditions, ...(live.generation === undefined ? {} : { generation: live.generation }) }
  }

  #dueAt(subject: string, live: LiveObject, wanted: Wanted, now: number): number {
    const course = this.#courses.get(subject) ?? FRESH
    const found = difference(live.conditions, wanted)
    const differsSince = found === 'passing' ? (course.differsSince ?? now) : undefined
    if (differsSince !== course.differsSince) this.#courses.set(subject, { ...course, differsSince })
    if (found === 'none') return Number.POSITIVE_INFINITY
    return Math.max(course.notBefore, differsSince === undefined ? now : differsSince + PASSING_MS)
  }
}
