import type { ErrorCode } from '../../shared/errors/index.ts'
import type { Sensitive } from '../../shared/log/index.ts'
import type { Certificate } from '../../shared/x509/index.ts'
import type { Svid } from './svid.ts'

/** By what a request for a pod's certificate is justified. */
export type IssuingProof =
  /** The token that the kubelet handed out for the pod. */
  | { readonly kind: 'token'; readonly token: Sensitive<string> }
  /** Possession of the key of its current certificate. */
  | { readonly kind: 'renewal'; readonly chain: readonly Certificate[]; readonly signature: Buffer }

export interface IssuingRequest {
  /** PKCS#10, DER. */
  readonly csr: Buffer
  readonly podUid: string
  readonly proof: IssuingProof
  /** Wanted life; absent: the authority's default. */
  readonly lifetimeMs?: number
}

/** Whoever signs the certificates of pods. */
export interface IssuingPort {
  /**
   * Gives up as soon as `signal` is aborted.
   *
   * @throws CountersignError ERR_AUTHORITY_REFUSED or ERR_AUTHORITY_UNAVAILABLE
   */
  issue(request: IssuingRequest, signal: AbortSignal): Promise<readonly Certificate[]>
}

/** Where one SVID outlives a restart. */
export interface SvidStore {
  load(): Svid | undefined
  save(svid: Svid): void
  forget(): void
}

/** What became of each try, for metrics. */
export interface RotationObserver {
  issued(durationMs: number): void
  failed(code: ErrorCode): void
}
