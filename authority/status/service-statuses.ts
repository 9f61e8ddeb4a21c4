import { record } from '../../shared/kube/index.ts'
import { type Condition, type ObjectStatus, PROTOCOL_CONFLICT } from './policy-status.ts'

/** Something that naming found. */
interface Problem {
  readonly kind: string
  /** `Service shop/orders` */
  readonly object: string
  readonly message: string
}

/** More of them make nothing clearer, and change more often. */
const MOST_NAMED = 5

/** The conditions of Services whose declarations of a port are contradicted, or contradict others. */
export function serviceStatuses(problems: readonly Problem[]): readonly ObjectStatus[] {
  const conflicts = problems.filter(({ kind }) => kind === 'protocol-conflict')
  return [...Map.groupBy(conflicts, ({ object }) => object)].flatMap(([object, own]) => {
    const [, namespace, name] = /^Service ([^/]+)\/([^/]+)$/.exec(object) ?? []
    if (namespace === undefined || name === undefined) return []
    const messages = own.map(({ message }) => message)
    const shown = messages.length > MOST_NAMED ? [...messages.slice(0, MOST_NAMED), 'and others'] : messages
    const conditions = [condition('True', 'ProtocolsDiffer', shown.join('; '))]
    return [{ kind: 'Service' as const, namespace, name, conditions }]
  })
}

/**
 * What is wanted of a Service that contradicts none: nothing, unless it has the condition from before.
 *
 * @param present `status.conditions` of the Service, whatever that is
 */
export function endedConflict(present: unknown): Pick<ObjectStatus, 'conditions'> | undefined {
  const hasOne = Array.isArray(present) && present.some(entry => record(entry)?.['type'] === PROTOCOL_CONFLICT)
  if (!hasOne) return undefined
  return { conditions: [condition('False', 'ProtocolsAgree', 'no declaration of a port contradicts another')] }
}

const condition = (status: Condition['status'], reason: string, message: string): Condition => ({
  type: PROTOCOL_CONFLICT,
  status,
  reason,
  message
})
