import { type Declaration, nameOf } from './declaration.ts'
import { parseManifests } from './parse-manifests.ts'
import { type Problem, problemAt } from './problem.ts'
import type { Content } from './read-file.ts'

/** What is remembered of a file. */
export interface FileState {
  /** What is in force: of the last content without mistakes, or what is good of the first one. */
  readonly declarations: readonly Declaration[]
  readonly problems: readonly Problem[]
  /** It has been without mistakes. */
  readonly wasGood: boolean
  /** Of the content that these follow from; absent when it could not be read. */
  readonly digest?: string
  /** Since when it is empty, while what it held before is still in force; milliseconds since the epoch. */
  readonly emptySince?: number
}

/**
 * How long a file that held objects must stay empty until they are gone. Whoever writes `generate > mesh.yaml` makes
 * it empty first; without the wait, policies would be lifted until the generator has finished.
 */
export const EMPTY_GRACE_MS = 5_000

/**
 * The state of a file after its content was looked at; undefined when it is gone.
 *
 * A mistake anywhere in it keeps the last good state of all of it: half of a change is not what its author wanted. A
 * file that has never been good has nothing to fall back on; then whatever is good in it counts, because leaving out
 * a policy for the mistake in another would open what should be closed. A policy that cannot be understood, and that
 * the last good state does not have, closes what it selects.
 */
export function nextFileState(
  file: string,
  previous: FileState | undefined,
  content: Content,
  now: number
): FileState | undefined {
  if (content.state === 'gone') return undefined
  if (content.state === 'unreadable') {
    const { declarations = [], wasGood = false } = previous ?? {}
    return { declarations, wasGood, problems: [problemAt('error', { file }, [], `cannot be read: ${content.reason}`)] }
  }
  if (content.text.trim() === '' && previous !== undefined && previous.declarations.length > 0)
    return emptied(file, previous, content.digest, now)
  if (previous?.digest === content.digest) return previous
  const { declarations, problems } = parseManifests(file, content.text)
  const isGood = problems.every(({ severity }) => severity !== 'error')
  const heldBack = !isGood && previous?.wasGood === true
  return {
    declarations: heldBack ? withNewlyUnreadable(previous.declarations, declarations) : declarations,
    problems,
    wasGood: isGood || heldBack,
    digest: content.digest
  }
}

function withNewlyUnreadable(held: readonly Declaration[], now: readonly Declaration[]): readonly Declaration[] {
  const lastGood = held.filter(({ kind }) => kind !== 'UnreadablePolicy')
  const known = new Set(lastGood.map(nameOf))
  const added = now.filter(declaration => declaration.kind === 'UnreadablePolicy' && !known.has(nameOf(declaration)))
  return [...lastGood, ...added]
}

function emptied(file: string, previous: FileState, digest: string, now: number): FileState {
  const { declarations, wasGood, emptySince = now } = previous
  if (now - emptySince >= EMPTY_GRACE_MS) return { declarations: [], problems: [], wasGood: true, digest }
  const message = `is empty: what it held stays in force until it has been so for ${EMPTY_GRACE_MS / 1000} s`
  return { declarations, problems: [problemAt('warning', { file }, [], message)], wasGood, emptySince }
}
