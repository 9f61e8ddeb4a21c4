// Health: what the kubelet and Prometheus ask of a program, over plain HTTP on a port of its own.
//
// In: a Readiness, a registry of metrics. Out: /livez, /readyz and /metrics.
// Never: decides readiness; never shares a port with what the program is for, so that it answers when that is full.
// Source: Kubernetes, API health endpoints and probes; Prometheus text exposition format.

export { createHealthServer, type HealthServer, type HealthServerOptions } from './health-server.ts'
