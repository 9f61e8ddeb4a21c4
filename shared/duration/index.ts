// Durations as people write them.
//
// In: a text such as 1h30m. Out: milliseconds, or nothing.
// Never: takes a number without a unit; says which range is allowed: that is told by whoever asked for one.
// Source: Go, time.ParseDuration, as Kubernetes and Istio use it; days beside it.

export { formatDuration, parseDuration } from './duration.ts'
