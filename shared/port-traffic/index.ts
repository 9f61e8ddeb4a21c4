// What callers may send on a port of a workload, as the policies on end users that select it allow.
//
// In: a port and what is spoken there, the rules for tokens. Out: anything, HTTP only, or nothing; and that in words.
// Never: reads a file, a clock or a socket; never lets bytes past a rule that it cannot check in them.
// Source: docs/end-users.md, "Ports"; countersign/mesh/v1/mesh.proto.

export { describePort, type PortOutcome, type PortReport, portReport } from './port-report.ts'
export { type PortTraffic, trafficOn } from './port-traffic.ts'
