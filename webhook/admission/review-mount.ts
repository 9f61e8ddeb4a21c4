import { type MountingSettings, mountCertificates } from '../mounting/index.ts'
import type { Verdict } from './answer.ts'
import { reviewCreation } from './created-pod.ts'
import type { AdmissionRequest } from './review.ts'

/**
 * Whether a pod that is being created gets its certificate mounted.
 *
 * @throws CountersignError ERR_ADMISSION_REVIEW_INVALID when the object is not a pod
 */
export function reviewMount(request: AdmissionRequest, settings: MountingSettings): Verdict {
  return reviewCreation(request, pod => {
    const result = mountCertificates(pod, request.namespace, settings)
    switch (result.kind) {
      case 'patch':
        return { kind: 'allow', outcome: 'mounted', patch: result.patch }
      case 'skip': {
        const { reason, message, unexpected } = result
        const warnings = unexpected ? [`the pod gets no certificates: ${message}`] : []
        return { kind: 'allow', outcome: 'skipped', reason, message, warnings }
      }
      case 'refuse':
        return { kind: 'deny', outcome: 'refused', reason: 'invalid', message: result.message }
    }
  })
}
