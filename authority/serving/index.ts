// The certificate with which the authority itself answers agents.
//
// In: the issuer, the trust domain, a clock. Out: a key and a chain for spiffe://<trust domain>/countersign/authority,
// replaced at half of its life, as current value and subscription.
// Never: leaves the process; never has a DNS name: agents verify the SPIFFE ID, so that no address has to be trusted.

export { ServingCertificate } from './serving-certificate.ts'
