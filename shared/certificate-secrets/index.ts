// Certificates in Secrets: what everybody calls them, and what a service account may ask of its own.
//
// In: names and annotations of service accounts. Out: the name and keys of a Secret, what is asked of its certificate,
// and what is wrong with that.
// Never: reads or writes a Secret; grants what is asked: the limits are the operator's.
// Source: Istio 1.5, Citadel (the type, the keys and the mount of its Secrets); docs/certificate-secrets.md.

export {
  ACCOUNT_ANNOTATIONS,
  type CertificateWishes,
  readWishes,
  type Wish,
  type WishesRead
} from './account-wishes.ts'
export {
  CERTIFICATES_ANNOTATION,
  SECRET_KEYS,
  SECRET_MOUNT,
  SECRET_TYPE,
  SECRETS_LABEL,
  secretNameOf
} from './names.ts'
