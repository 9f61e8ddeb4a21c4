// Identity providers and tokens, for tests: a real provider as a process, and tokens made by hand, as no provider
// would make them.
//
// In: wishes. Out: issuers, JSON Web Key Sets, tokens good and bad.
// Never: anything of the product; it is what the product is judged by.

export { type Algorithm, keySet, newSigningKey, part, type SigningKey, signed, signedWithSecret } from './forge.ts'
export { type RunningIdentityProvider, startIdentityProvider } from './identity-provider.ts'
