import type { Benchmark } from './benchmark.ts'
import { certificateSecrets } from './certificate-secrets.ts'
import { firstCertificate } from './first-certificate.ts'
import { issuance } from './issuance.ts'
import { memory } from './memory.ts'
import { memoryOnCluster } from './memory-on-cluster.ts'
import { podReady } from './pod-ready.ts'
import { policy } from './policy.ts'
import { tokens } from './tokens.ts'
import { webhook } from './webhook.ts'

/** All of them, in the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [
  issuance,
  webhook,
  firstCertificate,
  tokens,
  policy,
  memory,
  podReady,
  certificateSecrets,
  memoryOnCluster
]
