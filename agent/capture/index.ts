// The second half of the gate: a proxy gets its listeners and clusters only when its pod's traffic is captured.
//
// In: what a pod is to be served and what it excludes, a proxy that connects, whoever can program network namespaces
// (the container `node`).
// Out: the same, without listeners and clusters until the rules are in place.
// Never: programs anything itself (no privilege here); never takes them back. Asked anew for every stream: a pod's
// sandbox that was made again has a network namespace without rules.

export { CaptureGate, type CaptureGateOptions, type CapturePort } from './capture-gate.ts'
export { NodeCapture } from './node-capture.ts'
