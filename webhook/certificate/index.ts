// Certificate: what the webhook shows to the API server, made by itself or given in a folder, replaced before it ends.
//
// In: DNS names and a lifetime, or a folder of PEM files. Out: the certificate in use and word of every replacement;
// the roots to be trusted, also as a file.
// Never: lets the certificate in use go before its successor is there; never signs with a root that was not published
// for the life of one certificate before; never writes a private key, but to the store that replicas share.
// Source: RFC 5280; Kubernetes, Secrets of type kubernetes.io/tls.

export { keepBundleFile } from './bundle-file.ts'
export { CertificateFolder } from './certificate-folder.ts'
export { OwnCertificate } from './own-certificate.ts'
export type { ServingCertificate, ServingCertificateSource } from './serving-certificate.ts'
export type { SharedRoots, StoredRoot } from './shared-roots.ts'
