import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { V1Deployment } from '@kubernetes/client-node'
import {
  type LocalMesh,
  podFromDeployment,
  type RunningPod,
  readDeployments,
  readManifests,
  servedCertificate,
  until
} from '../../cli/local/index.ts'
import { startTestMesh } from '../mesh/shop.ts'
import type { AtEnd } from './benchmark.ts'

/** Addresses 127.91.0.0/16 and 127.92.0.0/16: no test uses them. */
const BENCH_NETWORK = '91.0'

// Twenty proxies that start at once on a small machine.
const READY_TIMEOUT_MS = 60_000
const ORDERS_PORT = 8080

/** How long a pod took, in milliseconds from the moment at which its volume record was there. */
export interface StartedPod {
  readonly running: RunningPod
  /** Its proxy's readiness port answers 200. */
  readonly readyMs: number
  /** A handshake with its proxy has shown the certificate of the pod. */
  readonly servedMs: number
}

/** The three programs, and as many pods of the example's Deployment `orders` as are asked for, without applications. */
export class BenchMesh {
  readonly mesh: LocalMesh
  readonly #deployment: V1Deployment

  private constructor(mesh: LocalMesh, deployment: V1Deployment) {
    this.mesh = mesh
    this.#deployment = deployment
  }

  static async start(atEnd: AtEnd): Promise<BenchMesh> {
    const starting = startTestMesh({ network: BENCH_NETWORK, certificateLifetime: '24h' })
    // A start that fails has cleaned up behind itself.
    atEnd(() =>
      starting.then(
        ({ close }) => close(),
        () => undefined
      )
    )
    const { mesh } = await starting
    const deployment = readDeployments(await readManifests(join(import.meta.dirname, '../../examples/shop'))).get(
      'orders'
    )
    if (deployment === undefined) throw new Error('examples/shop has no Deployment orders')
    return new BenchMesh(mesh, deployment)
  }

  /** Starts that many pods at once. */
  startPods(count: number): Promise<StartedPod[]> {
    return Promise.all(Array.from({ length: count }, () => this.#startPod()))
  }

  async #startPod(): Promise<StartedPod> {
    const pod = podFromDeployment(this.#deployment, this.mesh.placement())
    const running = await this.mesh.run(pod, { applications: false, readyTimeoutMs: READY_TIMEOUT_MS })
    const ready = Date.now()
    await until(`the certificate of ${pod.name}`, async () => {
      const { subjectAltName } = await servedCertificate(pod.address, ORDERS_PORT)
      return subjectAltName?.includes(`/ns/${pod.namespace}/sa/${pod.serviceAccount}`) || undefined
    })
    const served = Date.now()
    const { mtimeMs: written } = await stat(join(this.mesh.layout.state, 'volumes', `csi-${pod.uid}.json`))
    return { running, readyMs: ready - written, servedMs: served - written }
  }
}
