// What can be measured of the authority.
//
// In: what the rooms report through their observers. Out: a registry for /metrics.
// Never: labels by pod, account or token: label values are from closed lists.

export { AuthorityMetrics } from './authority-metrics.ts'
