import { type KubeObject, record } from '../../shared/kube/index.ts'
import type { Note } from './types.ts'

/** What there is to say of an account. */
export interface AccountState {
  readonly name: string
  /** A valid one is in its Secret. */
  readonly hasCertificate: boolean
  /** One is about to be written, as far as is known. */
  readonly isWaiting: boolean
  /** What keeps it from having one is the last. */
  readonly notes: readonly Note[]
}

/** A condition of a Namespace, as far as it says something. Kubernetes, core/v1 NamespaceCondition. */
export interface ReadinessCondition {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

/** When a condition was last written, when it last had to be looked at, and whether all is done that can be done. */
export interface ConditionTimes {
  readonly writtenAt: number
  readonly changedAt: number
  readonly settled: boolean
}

const TYPE = 'countersign.dev/CertificatesReady'
const MOST_NAMED = 5
const LONGEST_NOTE = 300
/** While certificates are being issued. */
const BETWEEN_MS = 5_000
/** What is done within this time need not be told as under way. */
const PASSING_MS = 2_000
const SETTLED_BETWEEN_MS = 1_000

/** What is said of a namespace. */
export function readinessCondition(states: readonly AccountState[]): ReadinessCondition {
  const byName = [...states].sort((a, b) => (a.name < b.name ? -1 : 1))
  const lacking = byName.filter(({ hasCertificate }) => !hasCertificate)
  const [first, ...others] = lacking.filter(({ isWaiting, notes }) => !isWaiting && notes.length > 0)
  const reason = first?.notes.at(-1)?.reason
  if (first === undefined || reason === undefined)
    return lacking.length === 0 ? issued(byName) : issuing(byName, lacking)
  const waiting = lacking.length - others.length - 1
  const more = waiting === 0 ? '' : `; ${waiting} ${waiting === 1 ? 'waits for its' : 'wait for their'} certificate`
  const count = `${others.length + 1} of ${accounts(states.length)} ${others.length === 0 ? 'has' : 'have'} no certificate`
  return { status: 'False', reason, message: `${count}: ${listed([first, ...others])}${more}` }
}

function issued(states: readonly AccountState[]): ReadinessCondition {
  const noted = states.filter(({ notes }) => notes.length > 0)
  const count =
    states.length === 1
      ? '1 service account has its certificate'
      : `${states.length} service accounts have their certificates`
  return { status: 'True', reason: 'Issued', message: noted.length === 0 ? count : `${count}; ${listed(noted)}` }
}

function issuing(states: readonly AccountState[], lacking: readonly AccountState[]): ReadinessCondition {
  const wait = lacking.length === 1 ? 'waits for its certificate' : 'wait for their certificate'
  return { status: 'False', reason: 'Issuing', message: `${lacking.length} of ${accounts(states.length)} ${wait}` }
}

const accounts = (count: number): string => `${count} service account${count === 1 ? '' : 's'}`

function listed(states: readonly AccountState[]): string {
  const named = states.slice(0, MOST_NAMED).map(({ name, notes }) => `${name}: ${notes.map(textOf).join(', ')}`)
  return [...named, ...(states.length > MOST_NAMED ? [`and ${states.length - MOST_NAMED} more`] : [])].join('; ')
}

const textOf = ({ message }: Note): string =>
  message.length <= LONGEST_NOTE ? message : `${message.slice(0, LONGEST_NOTE)}…`

/** When it is to be looked at whether another condition is written, in milliseconds since the epoch. */
export function conditionDueAt({ writtenAt, changedAt, settled }: ConditionTimes): number {
  return settled ? writtenAt + SETTLED_BETWEEN_MS : Math.max(writtenAt + BETWEEN_MS, changedAt + PASSING_MS)
}

/**
 * The patch of the status of a Namespace that makes its condition as it is wanted, by strategic merge: those of others
 * stay. Undefined when nothing is to be done.
 *
 * @param wanted undefined: none
 * @param now milliseconds since the epoch
 */
export function conditionPatch(
  present: KubeObject,
  wanted: ReadinessCondition | undefined,
  now: number
): object | undefined {
  const old = presentCondition(present)
  if (wanted === undefined) return old === undefined ? undefined : patchOf({ $patch: 'delete', type: TYPE })
  const { status, reason, message } = wanted
  const sameStatus = old?.['status'] === status
  if (sameStatus && old?.['reason'] === reason && old['message'] === message) return undefined
  const since = sameStatus ? old?.['lastTransitionTime'] : undefined
  const lastTransitionTime = typeof since === 'string' ? since : new Date(now).toISOString().replace(/\.\d+Z$/, 'Z')
  return patchOf({ type: TYPE, status, lastTransitionTime, reason, message })
}

const patchOf = (condition: object): object => ({ status: { conditions: [condition] } })

function presentCondition(namespace: KubeObject): Readonly<Record<string, unknown>> | undefined {
  const conditions = record(namespace['status'])?.['conditions']
  if (!Array.isArray(conditions)) return undefined
  return conditions.map(record).find(condition => condition?.['type'] === TYPE)
}
