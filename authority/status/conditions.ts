import { record } from '../../shared/kube/index.ts'
import { type Condition, type ObjectStatus, PROTOCOL_CONFLICT } from './policy-status.ts'

type Wanted = Pick<ObjectStatus, 'conditions' | 'generation'>

/**
 * How what is there differs from what is wanted. `lasting`: in what must be told at once. `passing`: only in words, or
 * in which pods there are, which a rollout changes back and forth.
 */
export type Difference = 'none' | 'passing' | 'lasting'

/** Their status follows from which pods there are. */
const OF_PODS: ReadonlySet<Condition['type']> = new Set(['WorkloadsSelected', 'PortsChecked', PROTOCOL_CONFLICT])

/** @param present - `status.conditions` of an object, whatever that is */
export function difference(present: unknown, { conditions, generation }: Wanted): Difference {
  const there = byType(present)
  let found: Difference = 'none'
  for (const { type, status, reason, message } of conditions) {
    const old = there.get(type)
    if (old === undefined || old['observedGeneration'] !== generation) return 'lasting'
    if (old['status'] !== status && !OF_PODS.has(type)) return 'lasting'
    if (old['status'] !== status || old['reason'] !== reason || old['message'] !== message) found = 'passing'
  }
  return found
}

/**
 * The whole list as it is to be: conditions of others as they are, where they are. The time of a condition is that of
 * the last change of its `status`.
 *
 * @param now - milliseconds since the epoch
 */
export function mergedConditions(present: unknown, { conditions, generation }: Wanted, now: number): readonly object[] {
  const there = byType(present)
  const ours = new Map<unknown, object>(
    conditions.map(({ type, status, reason, message }) => {
      const old = there.get(type)
      const since = old?.['status'] === status ? old['lastTransitionTime'] : undefined
      const lastTransitionTime = typeof since === 'string' ? since : secondOf(now)
      const observed = generation === undefined ? {} : { observedGeneration: generation }
      return [type, { type, status, ...observed, lastTransitionTime, reason, message }]
    })
  )
  const kept = entries(present).map(entry => {
    const type = record(entry)?.['type']
    const own = ours.get(type)
    ours.delete(type)
    return own ?? entry
  })
  return [...kept, ...ours.values()]
}

const entries = (present: unknown): readonly object[] =>
  Array.isArray(present) ? present.filter(entry => record(entry) !== undefined) : []

function byType(present: unknown): ReadonlyMap<Condition['type'], Readonly<Record<string, unknown>>> {
  return new Map(
    entries(present).flatMap(entry => {
      const fields = record(entry)
      return fields === undefined ? [] : [[fields['type'] as Condition['type'], fields] as const]
    })
  )
}

/** Kubernetes, meta/v1 Time: without fractions of a second. */
const secondOf = (now: number): string => new Date(now).toISOString().replace(/\.\d+Z$/, 'Z')
