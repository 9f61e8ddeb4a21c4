import type { Operation } from 'fast-json-patch'
import { API_VERSION, KIND } from './review.ts'

/** What the API server is told. `reason` is one of few words, for metrics and audits; `message` is for people. */
export type Verdict =
  | {
      readonly kind: 'allow'
      readonly outcome: 'injected' | 'mounted' | 'skipped' | 'accepted'
      readonly reason?: string
      readonly message?: string
      readonly patch?: readonly Operation[]
      /** Shown to whoever sent the object, as `Warning:` lines of kubectl. */
      readonly warnings?: readonly string[]
    }
  | {
      readonly kind: 'deny'
      readonly outcome: 'refused'
      readonly reason: 'invalid' | 'unsupported'
      readonly message: string
    }

/** An AdmissionReview that answers. */
export interface AnsweredReview {
  readonly apiVersion: typeof API_VERSION
  readonly kind: typeof KIND
  readonly response: {
    readonly uid: string
    readonly allowed: boolean
    readonly status?: { readonly code: number; readonly reason?: string; readonly message: string }
    readonly patchType?: 'JSONPatch'
    /** A JSON patch (RFC 6902), in base64. */
    readonly patch?: string
    readonly warnings?: readonly string[]
    readonly auditAnnotations: Readonly<Record<string, string>>
  }
}

// HTTP status and reason of a refusal, as the API server passes them on (Kubernetes, API conventions).
const STATUS = {
  invalid: { code: 422, reason: 'Invalid' },
  unsupported: { code: 400, reason: 'BadRequest' }
} as const

// The API server cuts a warning at 256 characters; one that is cut here ends readably.
const LONGEST_WARNING = 256

/** The answer to the question with this uid. Source: Kubernetes, admission.k8s.io/v1, AdmissionResponse. */
export function answerReview(uid: string, verdict: Verdict): AnsweredReview {
  const { outcome, reason, message } = verdict
  const auditAnnotations = { outcome, ...(reason === undefined ? {} : { reason }) }
  if (verdict.kind === 'deny') {
    const status = { ...STATUS[verdict.reason], message: verdict.message }
    return review({ uid, allowed: false, status, auditAnnotations })
  }
  const { patch, warnings = [] } = verdict
  return review({
    uid,
    allowed: true,
    ...(message === undefined ? {} : { status: { code: 200, message } }),
    ...(patch === undefined ? {} : { patchType: 'JSONPatch', patch: encode(patch) }),
    ...(warnings.length === 0 ? {} : { warnings: warnings.map(shorten) }),
    auditAnnotations
  })
}

const review = (response: AnsweredReview['response']): AnsweredReview => ({
  apiVersion: API_VERSION,
  kind: KIND,
  response
})

const encode = (patch: readonly Operation[]): string => Buffer.from(JSON.stringify(patch)).toString('base64')

const shorten = (text: string): string =>
  text.length > LONGEST_WARNING ? `${text.slice(0, LONGEST_WARNING - 1)}…` : text
