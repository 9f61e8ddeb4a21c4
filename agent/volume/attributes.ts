import { isIP } from 'node:net'

const PREFIX = 'countersign.dev/'

/** Address on which the application listens, on machines outside Kubernetes where the proxy owns the pod's address. */
export const APPLICATION_ADDRESS = 'countersign.dev/application-address'

interface Attribute {
  readonly expected: string
  accepts(value: string): boolean
}

// Everything that a volume attribute of ours can be.
const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  [APPLICATION_ADDRESS]: { expected: 'an IPv4 or IPv6 address', accepts: value => isIP(value) !== 0 }
}

/** What became of a volume's attributes; others' attributes (the kubelet adds some) are left out without a word. */
export interface CheckedAttributes {
  readonly accepted: Readonly<Record<string, string>>
  /** Names of ours that this version does not know: from a newer webhook, or mistyped. */
  readonly unknown: readonly string[]
  readonly invalid: readonly { readonly name: string; readonly value: string; readonly expected: string }[]
}

export function checkAttributes(attributes: Readonly<Record<string, string>>): CheckedAttributes {
  const ours = Object.entries(attributes).filter(([name]) => name.startsWith(PREFIX))
  const known = ours.flatMap(([name, value]) => {
    const attribute = Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name] : undefined
    return attribute === undefined ? [] : [{ name, value, attribute }]
  })
  const accepted = known.filter(({ attribute, value }) => attribute.accepts(value))
  const refused = known.filter(({ attribute, value }) => !attribute.accepts(value))
  return {
    accepted: Object.freeze(Object.fromEntries(accepted.map(({ name, value }) => [name, value]))),
    unknown: ours.map(([name]) => name).filter(name => !Object.hasOwn(ATTRIBUTES, name)),
    invalid: refused.map(({ name, value, attribute }) => ({ name, value, expected: attribute.expected }))
  }
}
