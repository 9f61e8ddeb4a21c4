// Issuing: may this request be signed, what does the certificate say, and who is told what.
//
// In: requests over gRPC with a known peer, who may have what (authentication), the issuer, the time. Out: certificates
// of exactly one SPIFFE ID, with DNS names where another room of the authority grants them; or ERR_CSR_REFUSED with a
// reason for the log and one fixed sentence for the caller.
// Never: copies anything but the key out of a request; opens a port; logs a token or a request.
// Source: X509-SVID, RFC 2986, countersign/ca/v1/certificate_authority.proto.

export type { Caller } from './caller.ts'
export { evaluate, type RequestRefusal } from './evaluate.ts'
export { certify, type Issued, issue, type Order } from './issue.ts'
export { type CertificateAuthorityOptions, certificateAuthorityService, type IssuanceMetrics } from './service.ts'
export { BACKDATED_MS, DEFAULT_LIFETIMES, issuerLife, type Lifetimes, template, type Wanted } from './template.ts'
