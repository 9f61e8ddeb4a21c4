import type { CertificateWishes, WishesRead } from '../../shared/certificate-secrets/index.ts'
import type { SpiffeId, TrustDomain } from '../../shared/identity/index.ts'
import type { Issuer, TrustBundle } from '../../shared/x509/index.ts'

/** A service account that gets a Secret. */
export interface Account {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly asked: WishesRead
}

export type Key = NonNullable<CertificateWishes['key']>

/** What a certificate in a Secret says, when chain, key and roots belong together. */
export interface Content {
  readonly spiffeId: string
  /** Sorted. */
  readonly dnsNames: readonly string[]
  readonly key: Key
  /** Hexadecimal. */
  readonly serialNumber: string
  /** Milliseconds since the epoch, as is `notAfter`. */
  readonly notBefore: number
  readonly notAfter: number
  /** Which roots are in it, as `rootsDigest` names them. */
  readonly roots: string
  /** To which of them the chain leads, each as `rootDigest` names it: whoever holds their keys has signed all this. */
  readonly anchors: readonly string[]
}

/** What is kept of a Secret of one of our names: facts, and never its key. */
export interface PresentSecret {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  readonly type: string
  /** Nobody can change it any more. */
  readonly immutable: boolean
  /** UIDs of the service accounts that own it. */
  readonly owners: readonly string[]
  readonly content: Content | { readonly problem: string }
}

/** Who signs, and what those who verify shall trust. */
export interface Trust {
  readonly issuer: Issuer
  readonly bundle: TrustBundle
}

/** How long certificates in Secrets live, in milliseconds. */
export interface Limits {
  /** Where an account says nothing. */
  readonly standardMs: number
  readonly shortestMs: number
  readonly longestMs: number
}

/** A Service and the accounts that run it, each as `<namespace>/<account>`. */
export interface RunService {
  readonly namespace: string
  readonly name: string
  readonly headless: boolean
  readonly accounts: readonly string[]
}

/** What a new certificate shall say. */
export interface WantedCertificate {
  readonly spiffeId: SpiffeId
  readonly key: Key
  /** Sorted. */
  readonly dnsNames: readonly string[]
  readonly lifetimeMs: number
}

export interface Surroundings {
  readonly trustDomain: TrustDomain
  readonly clusterDomain: string
  readonly limits: Limits
}

/** Something that whoever looks after the account is to know. */
export interface Note {
  /** In CamelCase, from a closed list: the reason of an event. */
  readonly reason: NoteReason
  readonly message: string
}

export type NoteReason =
  /** An annotation cannot be read: what was there before holds. */
  | 'AnnotationUnreadable'
  /** What was asked for is beyond a limit, and the limit holds. */
  | 'LifetimeClamped'
  | 'TooManyDnsNames'
  /** The certificate ends with its issuer, and no longer one can be had. */
  | 'IssuerEnds'
  /** Nothing can be signed. */
  | 'IssuerUnusable'
  /** A Secret of that name is somebody else's. */
  | 'SecretNotOurs'
  /** The Secret is marked as immutable. */
  | 'SecretImmutable'
  /** There is no room for the name of a Secret. */
  | 'NameTooLong'
  /** The API server refuses it: a quota, a policy, a missing permission. */
  | 'WriteRefused'

export type WriteReason =
  /** There is no Secret. */
  | 'missing'
  /** Chain, key and roots do not belong together, or are not there. */
  | 'damaged'
  /** It is time, or too late. */
  | 'renewal'
  /** Other roots are trusted by now. */
  | 'roots'
  /** Another identity than that of the account. */
  | 'identity'
  | 'dns-names'
  | 'key'
  /** The account asks for a shorter life by now. */
  | 'lifetime'
  /** Only its owner is wrong: the content stays. */
  | 'owner'

/** What is to be done about an account. */
export type Judgement =
  /** Nothing until `lookAgainAt`, milliseconds since the epoch; infinite: until something changes. */
  | { readonly kind: 'right'; readonly lookAgainAt: number; readonly notes: readonly Note[] }
  | {
      readonly kind: 'write'
      readonly reason: WriteReason
      readonly wanted: WantedCertificate
      readonly notes: readonly Note[]
    }
  /** Nothing can or may be done; what is there stays. */
  | { readonly kind: 'leave'; readonly lookAgainAt: number; readonly notes: readonly Note[] }
