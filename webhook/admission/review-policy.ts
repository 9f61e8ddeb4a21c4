import { z } from 'zod'
import { validatePolicy } from '../validation/index.ts'
import type { Verdict } from './answer.ts'
import type { AdmissionRequest } from './review.ts'
import { checkShape } from './shape.ts'
import { type PortWarningOptions, warnOfPorts } from './warn-of-ports.ts'

const typedObject = z.looseObject({ apiVersion: z.string(), kind: z.string() })

/**
 * The verdict on a policy that is being stored. A policy may always be deleted, also one that would be refused today.
 *
 * @param ports how to warn of ports that it closes; absent: not at all
 * @throws CountersignError ERR_ADMISSION_REVIEW_INVALID when there is no object with a kind
 */
export async function reviewPolicy(request: AdmissionRequest, ports?: PortWarningOptions): Promise<Verdict> {
  if (request.operation === 'DELETE') return { kind: 'allow', outcome: 'accepted', reason: 'deletion' }
  const object = checkShape(typedObject, request.object, ['request', 'object'])
  const result = validatePolicy(object, request.oldObject)
  switch (result.kind) {
    case 'accept':
      return {
        kind: 'allow',
        outcome: 'accepted',
        warnings: [
          ...result.warnings,
          ...(ports === undefined ? [] : await warnOfPorts(object, request.namespace, ports))
        ]
      }
    case 'refuse':
      return { kind: 'deny', outcome: 'refused', reason: 'invalid', message: result.problems.join('; ') }
    case 'unsupported':
      return { kind: 'deny', outcome: 'refused', reason: 'unsupported', message: result.message }
  }
}
