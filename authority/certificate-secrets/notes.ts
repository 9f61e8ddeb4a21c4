import { createHash } from 'node:crypto'
import { COLLECTIONS, collectionPath } from '../../shared/kube/index.ts'
import type { Account, Note } from './types.ts'

const COMPONENT = 'countersign-authority'
// Kubernetes, events.k8s.io/v1 Event, note: at most 1 kB.
const LONGEST_MESSAGE = 1_000

/** An event to be made. */
export interface AccountEvent {
  /** Of the events of its namespace. */
  readonly path: string
  readonly namespace: string
  readonly body: { readonly metadata: { readonly name: string } }
}

/**
 * A note as an event of its service account (Kubernetes, core/v1 Event). Its name follows from what it says of whom:
 * said again, by this replica or another, it is the same event, and refused with 409.
 *
 * @param now milliseconds since the epoch
 */
export function eventOf(account: Account, note: Note, now: number): AccountEvent {
  const { namespace, name, uid } = account
  const message = note.message.slice(0, LONGEST_MESSAGE)
  const time = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z')
  return {
    path: collectionPath(COLLECTIONS.events, namespace),
    namespace,
    body: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName(uid, note), namespace },
      involvedObject: { apiVersion: 'v1', kind: 'ServiceAccount', namespace, name, uid },
      type: 'Warning',
      reason: note.reason,
      message,
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      reportingInstance: '',
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1
    } as AccountEvent['body']
  }
}

/** Which notes were told, each once until it says something else or is gone. */
export class ToldNotes {
  /** Names of events by account, by namespace. */
  readonly #told = new Map<string, Map<string, ReadonlySet<string>>>()

  /** Those that are new among all that is to be said of an account now. */
  fresh(account: Account, notes: readonly Note[]): readonly Note[] {
    const { namespace, uid } = account
    const before = this.#told.get(namespace)?.get(uid)
    if (notes.length === 0) {
      if (before !== undefined) this.#told.get(namespace)?.delete(uid)
      return notes
    }
    const told = this.#told.get(namespace) ?? new Map<string, ReadonlySet<string>>()
    this.#told.set(namespace, told.set(uid, new Set(notes.map(note => eventName(uid, note)))))
    return notes.filter(note => !before?.has(eventName(uid, note)))
  }

  drop(namespace: string): void {
    this.#told.delete(namespace)
  }
}

function eventName(uid: string, { reason, message }: Note): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([uid, reason, message]))
    .digest('hex')
  return `countersign.${digest.slice(0, 16)}`
}
