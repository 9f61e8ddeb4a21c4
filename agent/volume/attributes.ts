import { isIP } from 'node:net'
import { EXCLUSIONS, readList } from '../../shared/exclusions/index.ts'
import { PROBES_ATTRIBUTE, type Probe, readProbes } from '../../shared/probes/index.ts'

const PREFIX = 'countersign.dev/'

/** Address on which the application listens, on machines outside Kubernetes where the proxy owns the pod's address. */
export const APPLICATION_ADDRESS = 'countersign.dev/application-address'

/** What is wrong with a value, for whoever wrote it; `undefined` when it may be used. */
type Check = (value: string) => string | undefined

const expected = (allowed: string, value: string): string =>
  `expected ${allowed}, got ${JSON.stringify(value.slice(0, 100))}`

// Everything that a volume attribute of ours can be.
const ATTRIBUTES: ReadonlyMap<string, Check> = new Map<string, Check>([
  [APPLICATION_ADDRESS, value => (isIP(value) !== 0 ? undefined : expected('an IPv4 or IPv6 address', value))],
  ...Object.values(EXCLUSIONS).map((list): [string, Check] => [
    list.name,
    value => (readList<unknown>(list, value) === undefined ? expected(list.allowed, value) : undefined)
  ]),
  [
    PROBES_ATTRIBUTE,
    value => {
      const read = readProbes(value)
      return 'problem' in read ? read.problem : undefined
    }
  ]
])

/** What became of a volume's attributes; others' attributes (the kubelet adds some) are left out without a word. */
export interface CheckedAttributes {
  readonly accepted: Readonly<Record<string, string>>
  /** Names of ours that this version does not know: from a newer webhook, or mistyped. */
  readonly unknown: readonly string[]
  /** Each as `<name>: <what is wrong>`. */
  readonly problems: readonly string[]
}

export function checkAttributes(attributes: Readonly<Record<string, string>>): CheckedAttributes {
  const ours = Object.entries(attributes).filter(([name]) => name.startsWith(PREFIX))
  const checked = ours.map(([name, value]) => ({ name, value, problem: ATTRIBUTES.get(name)?.(value) }))
  const known = checked.filter(({ name }) => ATTRIBUTES.has(name))
  return {
    accepted: Object.freeze(
      Object.fromEntries(known.filter(({ problem }) => problem === undefined).map(({ name, value }) => [name, value]))
    ),
    unknown: ours.map(([name]) => name).filter(name => !ATTRIBUTES.has(name)),
    problems: known.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${problem}`]))
  }
}

/** The probes that accepted attributes tell of. */
export function probesOf(accepted: Readonly<Record<string, string>>): readonly Probe[] {
  const read = readProbes(accepted[PROBES_ATTRIBUTE] ?? '{}')
  return 'probes' in read ? read.probes : []
}
