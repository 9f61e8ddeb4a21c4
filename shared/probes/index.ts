// Probes that the proxy answers: what the webhook writes into a pod's volume, and the agent reads there.
//
// In: the httpGet probes of a pod's containers. Out: the text of a volume attribute, and the same read back and
// checked; the path at which the kubelet asks the proxy.
// Never: says where a probe goes, which is always the pod itself; shows a value in a message: headers may hold secrets.
// Source: Kubernetes 1.36, pkg/probe/http (what the kubelet sends); RFC 9110, section 5; RFC 3986, section 3.

export { probeProblems, readProbes, writeProbes } from './attribute.ts'
export { PROBE_KINDS, PROBES_ATTRIBUTE, type Probe, type ProbeKind, probePath } from './probe.ts'
