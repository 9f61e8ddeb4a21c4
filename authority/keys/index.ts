// The public keys of those who issue end users' tokens: fetched once for the whole mesh, kept while they are good.
//
// In: where keys are, as policies say it; word of tokens that no known key fits; the time. Out: key sets as canonical
// JSON, each with its condition and, where discovery told them, the endpoints for signing in; and word of every change.
// They are kept in a store, for an authority that starts while a provider is down.
// Never: asks a blocked address, whatever a name resolves to; keeps or shows a private key; quotes what a provider
// answered; gives up a provider, or the keys it last published.
// Source: RFC 7517 (key sets), OpenID Connect Discovery 1.0, section 4, RFC 9111 (how long they are fresh).

export { BlockedAddresses, DEFAULT_BLOCKED_ADDRESSES } from './blocked-addresses.ts'
export { ConfigMapKeyStore } from './config-map-key-store.ts'
export { FileKeyStore } from './file-key-store.ts'
export { type RememberedKeySet, rememberedKeySets } from './kept-key-sets.ts'
export { KeyRing, type KeyRingOptions } from './key-ring.ts'
export { KeySetKeeper, type KeySetKeeperOptions } from './key-set-keeper.ts'
export type { KeySetCondition, KeySetState, KeySetStatus } from './key-set-state.ts'
export { type KeySource, keySetName } from './key-source.ts'
export type { KeyStore } from './key-store.ts'
export type { FetchOutcome, KeysObserver } from './observer.ts'
export type { DiscoveredEndpoints, ProviderEndpoints } from './provider-endpoints.ts'
