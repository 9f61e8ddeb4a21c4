// The root of the mesh: its key and certificate, made once and kept.
//
// In: a store, the trust domain, the time. Out: an Issuer, or ERR_ISSUER_UNUSABLE.
// Never: replaces or repairs what is in a store; signs anything but itself.
// Source: X509-SVID, section 3 (signing certificates).

export { FileRootStore } from './file-store.ts'
export { openRoot, type RootSettings } from './open-root.ts'
export { SecretRootStore } from './secret-store.ts'
export type { RootPem, RootStore } from './store.ts'
