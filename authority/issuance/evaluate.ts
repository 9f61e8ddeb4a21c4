import { CountersignError } from '../../shared/errors/index.ts'
import type { SpiffeId } from '../../shared/identity/index.ts'
import type { CertificateRequest } from '../../shared/x509/index.ts'

/** Why a request is not signed. */
const REQUEST_REFUSALS = {
  malformed: 'the request is not PKCS#10 in DER of reasonable size',
  key: 'the key is neither on P-256 nor RSA of 2048 to 4096 bits with exponent 65537, in its usual encoding',
  signature: 'the request is not signed by its own key with SHA-256',
  subject: 'the subject is not empty',
  attribute: 'the request has attributes other than extensions',
  extension: 'the request asks for extensions other than one subject alternative name',
  no_name: 'the request has no subject alternative name',
  extra_name: 'the request has more than one subject alternative name',
  other_name: 'the subject alternative name is not the SPIFFE ID of the one it is for'
} as const
export type RequestRefusal = keyof typeof REQUEST_REFUSALS

/** The error for a refusal; `facts.reason` is the reason itself. */
export function requestRefusal(reason: RequestRefusal, cause?: unknown): CountersignError {
  const options = { facts: { reason }, ...(cause === undefined ? {} : { cause }) }
  return new CountersignError('ERR_CSR_REFUSED', REQUEST_REFUSALS[reason], options)
}

const SUBJECT_ALT_NAME = '2.5.29.17'

/** In the order in which they are looked at: first whether the request can be believed, then what it asks for. */
const RULES: readonly {
  readonly refused: RequestRefusal
  readonly when: (request: CertificateRequest, expected: SpiffeId) => boolean
}[] = [
  { refused: 'key', when: request => !isUsualKey(request) },
  { refused: 'signature', when: request => !request.signatureValid },
  { refused: 'subject', when: request => !request.subjectIsEmpty },
  { refused: 'attribute', when: request => request.otherAttributes.length > 0 },
  { refused: 'extension', when: request => request.extensions.some(({ oid }) => oid !== SUBJECT_ALT_NAME) },
  { refused: 'no_name', when: request => request.subjectAltNames.length === 0 },
  { refused: 'extra_name', when: request => request.subjectAltNames.length > 1 },
  { refused: 'other_name', when: (request, expected) => !isNamed(request, expected) }
]

/**
 * Whether a request may be signed for `expected`: undefined, or why not. The certificate is made from what is
 * expected and from the key alone, so nothing of a request could be copied; a request that asks for more is refused
 * all the same, since whoever made it expects something else than it would get.
 */
export function evaluate(request: CertificateRequest, expected: SpiffeId): RequestRefusal | undefined {
  return RULES.find(({ when }) => when(request, expected))?.refused
}

function isNamed({ subjectAltNames }: CertificateRequest, expected: SpiffeId): boolean {
  return subjectAltNames.every(({ type, value }) => type === 'uri' && value === expected.toString())
}

// SubjectPublicKeyInfo of an uncompressed point on the named curve P-256 (RFC 5480, section 2), up to the point.
const P256_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex')
const P256_BYTES = P256_PREFIX.length + 64
const RSA_BITS = { least: 2_048, most: 4_096 }
const RSA_EXPONENT = 65_537n

/**
 * P-256 and RSA are what every Envoy accepts, builds in FIPS mode included. The usual encoding alone: points can be
 * compressed and curves spelt out, and not everybody who will read the certificate understands that, or in one way.
 */
function isUsualKey({ publicKey, spki }: CertificateRequest): boolean {
  if (publicKey.asymmetricKeyType === 'ec')
    return spki.length === P256_BYTES && spki.subarray(0, P256_PREFIX.length).equals(P256_PREFIX)
  if (publicKey.asymmetricKeyType !== 'rsa') return false
  const { modulusLength = 0, publicExponent } = publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength < RSA_BITS.least || modulusLength > RSA_BITS.most || publicExponent !== RSA_EXPONENT) return false
  return publicKey.export({ type: 'spki', format: 'der' }).equals(spki)
}
