import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { call, LocalProcess, type RunningPod, until } from '../../cli/local/index.ts'
import { findEnvoy } from '../../shared/config/index.ts'
import { BenchMesh, type StartedPod } from './bench-mesh.ts'
import type { AtEnd, Benchmark, FigureRow } from './benchmark.ts'
import { median } from './statistics.ts'
import { formatFigure } from './table.ts'

const MANY = 20
const TIMES_ALONE = 5
const READY_PORT = 15021
const MOUNT = '/run/countersign'

export const firstCertificate: Benchmark = {
  name: 'first-certificate',
  measured: 'from volume record to proxy ready, and to a handshake that shows its certificate',
  peer: 'an Envoy with all of its configuration in its file',
  async run(atEnd) {
    const bench = await BenchMesh.start(atEnd)
    const pods: Record<'alone' | 'many', StartedPod[]> = { alone: [], many: [] }
    for (let time = 0; time < TIMES_ALONE; time++) pods.alone.push(...(await startAndDelete(bench, 1)))
    pods.many = await startAndDelete(bench, MANY)

    const like = pods.alone[0]?.running
    if (like === undefined) throw new TypeError('BUG: no pod was started')
    const peers: Record<'alone' | 'many', number[]> = { alone: [], many: [] }
    for (let time = 0; time < TIMES_ALONE; time++) peers.alone.push(...(await startPeers(bench, like, 1, atEnd)))
    peers.many = await startPeers(bench, like, MANY, atEnd)

    const row = (name: string, ready: readonly number[], served?: readonly number[]): FigureRow => ({
      name,
      cells: [ready, served].flatMap(times =>
        times === undefined ? ['', ''] : [formatFigure(median(times)), formatFigure(Math.max(...times))]
      )
    })
    const ourRow = (name: string, started: readonly StartedPod[]): FigureRow =>
      row(
        name,
        started.map(({ readyMs }) => readyMs),
        started.map(({ servedMs }) => servedMs)
      )
    return {
      columns: ['ready ms, median', 'slowest', 'certificate ms, median', 'slowest'],
      rows: [
        ourRow(`one pod, ${TIMES_ALONE} times`, pods.alone),
        row(`one static Envoy, ${TIMES_ALONE} times`, peers.alone),
        ourRow(`${MANY} pods at once`, pods.many),
        row(`${MANY} static Envoys at once`, peers.many)
      ]
    }
  }
}

async function startAndDelete(bench: BenchMesh, count: number): Promise<StartedPod[]> {
  const started = await bench.startPods(count)
  await Promise.all(started.map(({ running }) => bench.mesh.delete(running)))
  return started
}

/** Envoys with the arguments of a pod's proxy; each resolves with the milliseconds until it was ready. */
async function startPeers(bench: BenchMesh, like: RunningPod, count: number, atEnd: AtEnd): Promise<number[]> {
  const args = like.pod.manifest.spec?.initContainers?.find(({ name }) => name === 'countersign-proxy')?.args ?? []
  const { envoy, environment } = findEnvoy()
  const peers: LocalProcess[] = []
  atEnd(() => stopAll(peers))
  const startPeer = async (): Promise<number> => {
    const { address } = bench.mesh.placement()
    const folder = join(bench.mesh.layout.folder, `static-${address}`)
    await mkdir(folder)
    await writeFile(join(folder, 'envoy.json'), JSON.stringify(staticConfiguration(address)))
    const began = Date.now()
    const spec = { name: address, command: envoy, args: args.map(one => one.replaceAll(MOUNT, folder)), environment }
    const peer = await LocalProcess.start(spec)
    peers.push(peer)
    await until(`the static Envoy on ${address} to be ready`, async () => {
      const { status } = await call({ url: `http://${address}:${READY_PORT}/ready`, timeoutMs: 1_000 })
      return status === 200 || undefined
    })
    return Date.now() - began
  }
  const times = await Promise.all(Array.from({ length: count }, startPeer))
  await stopAll(peers)
  return times
}

const stopAll = (processes: readonly LocalProcess[]) => Promise.all(processes.map(one => one.stop()))

/** Nothing but a readiness port. */
function staticConfiguration(address: string): object {
  const type = (name: string): string => `type.googleapis.com/envoy.extensions.filters.${name}`
  const routes = [{ match: { path: '/ready' }, directResponse: { status: 200 } }]
  const typedConfig = {
    '@type': type('network.http_connection_manager.v3.HttpConnectionManager'),
    statPrefix: 'ready',
    routeConfig: { virtualHosts: [{ name: 'ready', domains: ['*'], routes }] },
    httpFilters: [{ name: 'router', typedConfig: { '@type': type('http.router.v3.Router') } }]
  }
  return {
    node: { id: address, cluster: 'static' },
    staticResources: {
      listeners: [
        {
          name: 'ready',
          address: { socketAddress: { address, portValue: READY_PORT } },
          filterChains: [{ filters: [{ name: 'http', typedConfig }] }]
        }
      ]
    }
  }
}
