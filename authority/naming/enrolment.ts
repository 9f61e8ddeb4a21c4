import { type Floor, floorOf, NO_FLOOR } from '../../shared/floor/index.ts'
import type { Namespace, Pod } from '../../shared/inventory/index.ts'

/** Which pods may have a certificate. */
export interface Enrolment {
  /** Their pods never have one, whatever labels say. */
  readonly excludedNamespaces: ReadonlySet<string>
  /** What holds for pods that neither their namespace nor their own label enrols. */
  readonly unenrolledPods: 'denied' | 'allowed'
}

const INJECT_LABEL = 'countersign.dev/inject'

/**
 * Whether a pod is enrolled: by the label of its namespace or its own, as injection reads them, or by the floor. A label
 * with another value than `enabled` and `disabled` counts as absent.
 *
 * @param enrolment absent: every pod is
 * @param namespace undefined where it is not known, which enrols nothing
 */
export function isEnrolled(
  { namespace: name, labels }: Pick<Pod, 'namespace' | 'labels'>,
  namespace: Namespace | undefined,
  enrolment: Enrolment | undefined,
  floor: Floor = NO_FLOOR
): boolean {
  if (enrolment === undefined) return true
  if (enrolment.excludedNamespaces.has(name)) return false
  if (enrolment.unenrolledPods === 'allowed' || floorOf(floor, name).injection) return true
  const own = labels[INJECT_LABEL]
  if (own === 'enabled' || own === 'disabled') return own === 'enabled'
  return namespace?.labels[INJECT_LABEL] === 'enabled'
}
