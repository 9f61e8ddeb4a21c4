// Which protocol each port of a pod speaks, and who declares it. Pure.
//
// In: a pod, the Services that select it, and on which ports policies on end users are enforced. Out: the protocol of
// each declared port with its source, and declarations that contradict each other.
// Never: weakens a check because one more Service declares something; looks at anything but declarations.
// Source: Istio, "Protocol Selection"; Kubernetes, "Service", section "Application protocol".

export { type Claim, type ClaimedPort, claimedPorts } from './claims.ts'
export { type PortConflict, portConflicts } from './conflicts.ts'
export { type Declaration, declarationOf } from './declaration.ts'
export { type HeldProtocol, heldProtocol } from './held-protocol.ts'
