// A mesh on one machine, without Kubernetes and without root: for the demo, for tests, for trying things out.
//
// In: a folder, loopback addresses, an Envoy, Kubernetes manifests. Out: running programs and pods that can be
// called, killed and started again; load, and what it met.
// Never: stands in for authority, webhook, agent, Envoy or an application, which are the real programs; it plays
// only API server (tokens, admission), scheduler and kubelet. Never redirects traffic: callers name the proxy.

export { admissionReview } from './admission.ts'
export { forwardedIdentities } from './client-certificate.ts'
export { type Answer, call } from './http.ts'
export { Load } from './load.ts'
export { readDeployments, readManifests } from './manifests.ts'
export { LocalMesh, type LocalMeshOptions, type RunningPod } from './mesh.ts'
export { type LocalPod, localPod, podFromDeployment } from './pod.ts'
export { LocalProcess } from './process.ts'
export { servedCertificate } from './served-certificate.ts'
export { TokenIssuer } from './token-issuer.ts'
export { until } from './until.ts'
