import { DNS_LABEL } from '../names/index.ts'
import { describeIssue, type PolicyIssue } from './issue.ts'
import { selector } from './policy-identity.ts'
import { isRecord } from './schema.ts'
import { structureIssue } from './structure.ts'

/**
 * A policy that is there and cannot be understood: it has a field that is unknown, or a value that is wrong. What it
 * was to restrict is closed.
 */
export interface UnreadablePolicy {
  readonly kind: 'PeerAuthentication' | 'RequestAuthentication' | 'EndUserAuthentication'
  /** Empty where it cannot be read: then every namespace is meant. */
  readonly namespace: string
  readonly name: string
  readonly generation?: number
  /** Labels that a pod must have, all of them; absent: there is no selector, or it cannot be read. Never empty. */
  readonly selector?: Readonly<Record<string, string>>
  /** What is wrong with it, as sentences; at least one. */
  readonly issues: readonly string[]
}

/** They become a part of conditions and log lines. */
const MOST_ISSUES = 5
const LONGEST_ISSUE = 300
const LONGEST_NAME = 253

/** What can be said of a policy that has these issues. Never throws, whatever the object is. */
export function unreadablePolicy(
  kind: UnreadablePolicy['kind'],
  object: unknown,
  issues: readonly PolicyIssue[]
): UnreadablePolicy {
  const metadata = field(object, 'metadata')
  const [namespace, name, generation] = ['namespace', 'name', 'generation'].map(key => field(metadata, key))
  const labels = labelsIn(field(object, 'spec'))
  return Object.freeze({
    kind,
    namespace: namespaceOf(metadata, namespace),
    name: typeof name === 'string' ? name.slice(0, LONGEST_NAME) : '',
    ...(typeof generation === 'number' ? { generation } : {}),
    ...(labels === undefined ? {} : { selector: labels }),
    issues: Object.freeze(sentences(issues))
  })
}

const field = (object: unknown, key: string): unknown => (isRecord(object) ? object[key] : undefined)

/** An absent namespace is `default`, as for kubectl. */
function namespaceOf(metadata: unknown, namespace: unknown): string {
  if (isRecord(metadata) && (namespace === undefined || namespace === null)) return 'default'
  return typeof namespace === 'string' && DNS_LABEL.test(namespace) ? namespace : ''
}

/** A selector counts only if all of it is understood: a part of it could select less than was meant. */
function labelsIn(spec: unknown): UnreadablePolicy['selector'] {
  const written = field(spec, 'selector')
  if (written === undefined || structureIssue(written) !== undefined) return undefined
  const result = selector.safeParse(written)
  const labels = Object.entries(result.data?.matchLabels ?? {})
  return labels.length === 0 ? undefined : Object.freeze(Object.fromEntries(labels))
}

function sentences(issues: readonly PolicyIssue[]): readonly string[] {
  const shown = issues.slice(0, MOST_ISSUES).map(describeIssue).map(shorten)
  if (issues.length > MOST_ISSUES) shown.push(`${issues.length - MOST_ISSUES} more`)
  return shown.length === 0 ? ['it is not valid'] : shown
}

const shorten = (text: string): string => (text.length > LONGEST_ISSUE ? `${text.slice(0, LONGEST_ISSUE - 1)}…` : text)
