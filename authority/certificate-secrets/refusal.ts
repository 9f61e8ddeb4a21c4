import { CountersignError } from '../../shared/errors/index.ts'
import { statusOf } from '../../shared/kube/index.ts'

/** Why a write was not done. */
export type Refusal =
  /** There is one of that name. */
  | { readonly kind: 'taken' }
  /** It is gone, or not as it was: the watch tells. So also when its namespace is being deleted. */
  | { readonly kind: 'overtaken' }
  | { readonly kind: 'refused'; readonly err: CountersignError; readonly message: string }
  /** The API server has no time, or fails. */
  | { readonly kind: 'unavailable'; readonly err: CountersignError; readonly message: string }
  /** It is none of the API server's doing. */
  | { readonly kind: 'failed'; readonly err: CountersignError }

const NOT_FOUND = 404
const CONFLICT = 409
/** Longer than any word, and shorter than any key in base64. */
const ENCODED = /[A-Za-z0-9+/]{32,}={0,2}/g
/** Kubernetes, plugin/pkg/admission/namespace/lifecycle. */
const TERMINATING = /because it is being terminated/

export function refusalOf(thrown: unknown, verb: 'create' | 'patch'): Refusal {
  if (!(thrown instanceof CountersignError) || !thrown.code.startsWith('ERR_KUBERNETES_'))
    return { kind: 'failed', err: CountersignError.from(thrown) }
  const status = statusOf(thrown)
  if (status === CONFLICT) return { kind: verb === 'create' ? 'taken' : 'overtaken' }
  if (status === NOT_FOUND || TERMINATING.test(thrown.message)) return { kind: 'overtaken' }
  const kind = thrown.code === 'ERR_KUBERNETES_REFUSED' ? 'refused' : 'unavailable'
  return { kind, ...cleaned(thrown) }
}

/** The same error without anything that was sent: a message of the API server may repeat that. */
function cleaned({ code, message: text, facts }: CountersignError): {
  readonly err: CountersignError
  readonly message: string
} {
  const request = `${facts['method']} ${facts['path']}: `
  const message = (text.startsWith(request) ? text.slice(request.length) : text).replace(ENCODED, '…')
  return { err: new CountersignError(code, `${request}${message}`, { facts }), message }
}
