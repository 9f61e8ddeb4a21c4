import { type InjectionSettings, injectPod, refusePodChange } from '../injection/index.ts'
import type { Verdict } from './answer.ts'
import { reviewCreation } from './created-pod.ts'
import { parsePod } from './pod-shape.ts'
import type { AdmissionRequest } from './review.ts'

/**
 * Whether a pod that is being created gets its proxy, and whether one that is changed keeps it.
 *
 * @throws CountersignError ERR_ADMISSION_REVIEW_INVALID when the object is not a pod
 */
export function reviewPod(request: AdmissionRequest, settings: InjectionSettings): Verdict {
  if (request.operation === 'UPDATE' && request.subResource === '' && request.oldObject !== undefined) {
    const [before, after] = [parsePod(request.oldObject, 'oldObject'), parsePod(request.object)]
    const refused = refusePodChange(before, after, request.namespace, settings)
    if (refused?.kind === 'refuse')
      return { kind: 'deny', outcome: 'refused', reason: 'invalid', message: refused.message }
  }
  return reviewCreation(request, pod => {
    const result = injectPod(pod, request.namespace, settings)
    switch (result.kind) {
      case 'patch':
        return { kind: 'allow', outcome: 'injected', patch: result.patch }
      case 'skip': {
        const { reason, message, unexpected } = result
        const warnings = unexpected ? [`the pod runs without a proxy: ${message}`] : []
        return { kind: 'allow', outcome: 'skipped', reason, message, warnings }
      }
      case 'refuse':
        return { kind: 'deny', outcome: 'refused', reason: 'invalid', message: result.message }
    }
  })
}
