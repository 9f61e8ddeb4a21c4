// The errors of Countersign: one class, a closed list of codes, one conversion from anything caught.
//
// In: a code, a message, facts for the log. Out: a CountersignError.
// Never: decides what a peer is told; that is the business of each door (see shared/rpc for gRPC).

export { CATALOGUE, type ErrorCode } from './catalogue.ts'
export { CountersignError, type Facts } from './countersign-error.ts'
