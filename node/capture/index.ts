// Capture: rules in a pod's network namespace that lead its TCP connections through its proxy, and routes for the source
// addresses of the proxy's deliveries.
//
// In: a pod's UID and what is excluded, from the agent. Out: rules in place, read back; or why not.
// Never: touches the rules of others, the network namespace of the node, or that of a pod which uses it; never believes a process id for
// longer than it holds the namespace open. Never: UDP, so DNS is left alone.
// Source: nft(8), iptables-restore(8), iptables-extensions(8), namespaces(7), cgroups(7), proc_pid_cgroup(5); kernel:
// net/netfilter/nf_nat_redirect.c.

export { addCaptureService } from './capture-service.ts'
export { ChosenRedirector } from './chosen-redirector.ts'
export { CAPTURE_CHOICES } from './means.ts'
export { PodCapture, type PodCaptureOptions } from './pod-capture.ts'
export type { PodNetwork } from './pod-network.ts'
export { PodProcesses } from './pod-processes.ts'
export type { Redirector } from './redirector.ts'
