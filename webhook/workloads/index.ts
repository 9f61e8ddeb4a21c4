// The pods and Services of a namespace, listed once when an answer wants to name ports. For warnings only.
//
// In: a namespace and labels; the Kubernetes API. Out: normalised pods and Services, at most 500 of each.
// Never: takes longer than 2 s; keeps anything; decides about admission.
// Source: Kubernetes, "API Concepts" (limits, label selectors).

export { type FoundWorkloads, type WorkloadFinder, workloadFinder } from './workload-finder.ts'
