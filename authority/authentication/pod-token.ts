import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify, type LocalJWKSet } from 'jose'
import { z } from 'zod'
import type { Clock } from '../../shared/clock/index.ts'
import type { Sensitive } from '../../shared/log/index.ts'
import { refusal, type TokenRefusal } from './refusal.ts'

/** The public keys of the API server. */
export interface TokenKeys {
  /** A set is never changed: new keys come as another object. */
  current(): JSONWebKeySet
  /** Asked when a token names an unknown key; resolves once `current()` is as new as it gets. Cheap to ask often. */
  refresh(): Promise<void>
}

export interface PodTokenOptions {
  /** Accepted values of `iss`: `--service-account-issuer` of the API server, which may have several. */
  readonly issuers: readonly string[]
  /** The one audience that a token must be for. Default: countersign-ca. */
  readonly audience?: string
  /** How far the clock of the API server may be off, in milliseconds. Default: 30 seconds. */
  readonly clockSkewMs?: number
}

/** What a pod-bound service account token says. */
export interface PodClaims {
  readonly namespace: string
  readonly serviceAccount: string
  readonly podName: string
  readonly podUid: string
  readonly node: string
}

/** A bound token has 1 to 2 KB; the largest that Kubernetes can make is far below this. */
const MAX_TOKEN_CHARACTERS = 16_384
const AUDIENCE = 'countersign-ca'
const CLOCK_SKEW_MS = 30_000
// What an API server signs with: k8s.io/kubernetes, pkg/serviceaccount, signerFromKeypair, and what an external signer
// may sign with (KEP-740, validateJWTHeader). jose takes for each only keys of its own type and curve (RFC 7518,
// section 3.1), and only keys for signatures.
const ALGORITHMS = ['RS256', 'ES256', 'ES384', 'ES512']

const named = z.object({ name: z.string().min(1) })
const identified = named.extend({ uid: z.string().min(1) })

/** k8s.io/kubernetes, pkg/serviceaccount/claims.go; `node` from Kubernetes 1.33 on always. */
const claims = z.object({
  sub: z.string(),
  'kubernetes.io': z.object({
    namespace: z.string().min(1),
    serviceaccount: identified,
    pod: identified.optional(),
    node: named.optional()
  })
})

/**
 * Verifies a service account token offline (RFC 7519; RFC 8725): signature, issuer, times, that it is for our
 * audience alone, and that the kubelet or the pod got it for that one pod on that one node. `now` is in
 * milliseconds since the epoch.
 *
 * @throws CountersignError ERR_TOKEN_REFUSED, `facts.reason` a TokenRefusal
 */
export async function verifyPodToken(
  token: Sensitive<string>,
  keys: TokenKeys,
  options: PodTokenOptions,
  now: number
): Promise<PodClaims> {
  const text = token.reveal()
  if (text === '') throw refusal('missing')
  if (text.length > MAX_TOKEN_CHARACTERS) throw refusal('malformed')
  return podClaims(await verified(text, keys, options, now), options.audience ?? AUDIENCE)
}

/** Verifies a token at the present time. */
export type PodTokenVerifier = (token: Sensitive<string>) => Promise<PodClaims>

export function podTokenVerifier(keys: TokenKeys, options: PodTokenOptions, clock: Clock): PodTokenVerifier {
  return token => verifyPodToken(token, keys, options, clock.now())
}

async function verified(text: string, keys: TokenKeys, options: PodTokenOptions, now: number): Promise<JWTPayload> {
  const attempt = async (): Promise<JWTPayload> => {
    const { payload } = await jwtVerify(text, resolverOf(keys.current()), {
      algorithms: ALGORITHMS,
      issuer: [...options.issuers],
      audience: options.audience ?? AUDIENCE,
      clockTolerance: (options.clockSkewMs ?? CLOCK_SKEW_MS) / 1_000,
      currentDate: new Date(now),
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'nbf']
    })
    return payload
  }
  try {
    return await attempt()
  } catch (error) {
    // The API server may have a new key since the last look; it signs with it at once.
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw refusal(reasonOf(error), error)
  }
  await keys.refresh()
  try {
    return await attempt()
  } catch (error) {
    throw refusal(reasonOf(error), error)
  }
}

// A resolver keeps the keys that it has imported, which is most of the work.
const resolvers = new WeakMap<JSONWebKeySet, LocalJWKSet>()

function resolverOf(keySet: JSONWebKeySet): LocalJWKSet {
  const known = resolvers.get(keySet)
  if (known !== undefined) return known
  const made = createLocalJWKSet(keySet)
  resolvers.set(keySet, made)
  return made
}

const REASON_OF_CLAIM: Readonly<Record<string, TokenRefusal>> = {
  iss: 'issuer',
  aud: 'audience',
  nbf: 'not_yet_valid'
}

function reasonOf(error: unknown): TokenRefusal {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWTClaimValidationFailed)
    return error.reason === 'missing' ? 'claims' : (REASON_OF_CLAIM[error.claim] ?? 'claims')
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm'
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'unknown_key'
  return 'malformed'
}

function podClaims(payload: JWTPayload, audience: string): PodClaims {
  // A token that others may receive as well would let each of them ask for this pod's certificate.
  if (!Array.isArray(payload.aud) || payload.aud.length !== 1 || payload.aud[0] !== audience) throw refusal('audience')
  const parsed = claims.safeParse(payload)
  if (!parsed.success) throw refusal('claims')
  const { namespace, serviceaccount, pod, node } = parsed.data['kubernetes.io']
  if (parsed.data.sub !== `system:serviceaccount:${namespace}:${serviceaccount.name}`) throw refusal('subject')
  if (pod === undefined) throw refusal('not_pod_bound')
  if (node === undefined) throw refusal('no_node')
  return { namespace, serviceAccount: serviceaccount.name, podName: pod.name, podUid: pod.uid, node: node.name }
}
