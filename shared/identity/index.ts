// Names: trust domains and SPIFFE IDs as opaque values.
//
// In: strings from certificates, tokens, options. Out: TrustDomain, SpiffeId, or ERR_SPIFFE_ID_INVALID.
// Never: a bare string past the edge; never decides who may have a name.
// Source: SPIFFE-ID (github.com/spiffe/spiffe, standards/SPIFFE-ID.md).

export { SpiffeId, type Subject } from './spiffe-id.ts'
export { parseTrustDomain, type TrustDomain } from './trust-domain.ts'
