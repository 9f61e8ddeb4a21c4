import type { Pod } from '../pod/index.ts'
import type { Verdict } from './answer.ts'
import { parsePod } from './pod-shape.ts'
import type { AdmissionRequest } from './review.ts'

/**
 * The verdict on a pod that is being created; whatever else is asked about pods is allowed as it is.
 *
 * @throws CountersignError ERR_ADMISSION_REVIEW_INVALID when the object is not a pod
 */
export function reviewCreation(request: AdmissionRequest, judge: (pod: Pod) => Verdict): Verdict {
  const { group, version, kind } = request.kind
  if (request.operation !== 'CREATE' || request.subResource !== '')
    return { kind: 'allow', outcome: 'skipped', reason: 'not-a-creation' }
  if (group !== '' || version !== 'v1' || kind !== 'Pod') {
    const message = `expected a Pod of v1, got ${kind} of ${group === '' ? version : `${group}/${version}`}: correct the rules of the webhook configuration`
    return { kind: 'deny', outcome: 'refused', reason: 'unsupported', message }
  }
  return judge(parsePod(request.object))
}
