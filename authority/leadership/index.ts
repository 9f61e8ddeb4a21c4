// Leadership: one replica at a time does what only one may do.
//
// In: a client of the Kubernetes API, the name of a Lease, two clocks. Out: whether this replica leads, word when that
// changes, and tasks that run exactly as long.
// Never: compares clocks of two machines; leads, even for an instant, while another replica can believe that it does;
// knows what the tasks do.
// Source: Kubernetes, coordination.k8s.io/v1 Lease; client-go, tools/leaderelection.

export { type ElectionTimes, LeaderElector, type LeaderElectorOptions } from './leader-elector.ts'
