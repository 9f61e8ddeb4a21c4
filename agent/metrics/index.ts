// What the agent counts and measures.
//
// In: what other rooms say through their observer ports, and what they are at the moment of a scrape. Out: a registry.
// Never: a label per pod, per service or out of a request: a node has as many series as it had with one pod.
// Source: Prometheus, "Metric and label naming".

export { AgentMetrics, type WatchedRooms } from './agent-metrics.ts'
