import { z } from 'zod'
import { checkShape } from './shape.ts'

export const API_VERSION = 'admission.k8s.io/v1'
export const KIND = 'AdmissionReview'

/** What the API server asks about, reduced to what is read here. */
export interface AdmissionRequest {
  /** Names this one question; the answer repeats it. */
  readonly uid: string
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  /** For example `status`; empty for the object itself. */
  readonly subResource: string
  /** Empty for what is in no namespace. */
  readonly namespace: string
  /** Empty while the API server has not made one out of `generateName`. */
  readonly name: string
  readonly dryRun: boolean
  /** The object as it would become; null when it is deleted. */
  readonly object: unknown
  /** The object as it is; null or absent when it is created. */
  readonly oldObject?: unknown
}

const schema = z.looseObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  request: z.looseObject({
    uid: z.string().min(1, { error: 'expected text, got ""' }),
    kind: z.looseObject({ group: z.string(), version: z.string(), kind: z.string() }),
    operation: z.enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
    subResource: z.string().nullish(),
    namespace: z.string().nullish(),
    name: z.string().nullish(),
    dryRun: z.boolean().nullish(),
    object: z.unknown().optional(),
    oldObject: z.unknown().optional()
  })
})

/**
 * Reads an AdmissionReview that asks. Fields that are not read may be anything: API servers add some.
 *
 * Source: Kubernetes, admission.k8s.io/v1.
 * @throws CountersignError ERR_ADMISSION_REVIEW_INVALID naming every field that is wrong
 */
export function parseReview(body: unknown): AdmissionRequest {
  const { request } = checkShape(schema, body, [])
  const { group, version, kind } = request.kind
  return Object.freeze({
    uid: request.uid,
    kind: Object.freeze({ group, version, kind }),
    operation: request.operation,
    subResource: request.subResource ?? '',
    namespace: request.namespace ?? '',
    name: request.name ?? '',
    dryRun: request.dryRun ?? false,
    object: request.object,
    ...(request.oldObject == null ? {} : { oldObject: request.oldObject })
  })
}
