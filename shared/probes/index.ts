// Probes and hooks that the proxy answers: what the webhook writes into a pod's volume, and the agent reads there.
//
// In: the probes of a pod's containers (httpGet, tcpSocket, grpc) and their hooks (httpGet). Out: the text of a volume
// attribute, and the same read back and checked; the path at which the kubelet asks the proxy.
// Never: says where a probe goes, which is always the pod itself; shows a value in a message: headers may hold secrets.
// Source: Kubernetes 1.37, pkg/probe and pkg/kubelet/lifecycle (what the kubelet sends); RFC 9110, section 5; RFC 3986,
// section 3; gRPC health checking protocol (grpc.health.v1).

export { probeProblems, readProbes, writeProbes } from './attribute.ts'
export {
  type GrpcProbe,
  type HttpProbe,
  isHook,
  PROBE_KINDS,
  PROBES_ATTRIBUTE,
  type Probe,
  type ProbeKind,
  probePath
} from './probe.ts'
