import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import autocannon from 'autocannon'
import {
  call,
  podFromDeployment,
  type RunningPod,
  readDeployments,
  readManifests,
  until
} from '../../cli/local/index.ts'
import { startIdentityProvider } from '../oidc/index.ts'
import { BenchMesh } from './bench-mesh.ts'
import type { Benchmark } from './benchmark.ts'
import { median, percentile } from './statistics.ts'
import { formatFigure } from './table.ts'

const AUDIENCE = 'https://shop.test'
const CONNECTIONS = 4
const SECONDS = 3
const ROUNDS = 3
const TICKS_PER_SECOND = 100

interface Sample {
  readonly medianMs: number
  readonly p99Ms: number
  readonly cpuUs: number
}

/** One proxy before one application; the same requests, with the same token, in turns. */
export const tokens: Benchmark = {
  name: 'tokens',
  measured: 'a request through a proxy that verifies its token, and the CPU time of the proxy',
  peer: 'the same proxy, which has no policy',
  async run(atEnd) {
    const bench = await BenchMesh.start(atEnd)
    const provider = await startIdentityProvider()
    atEnd(() => provider.stop())
    const running = await startOrders(bench)
    const url = `http://${running.pod.address}:8080/`
    const token = {
      RS256: await provider.token({ audience: AUDIENCE, algorithm: 'RS256' }),
      ES256: await provider.token({ audience: AUDIENCE, algorithm: 'ES256' })
    }
    const policy = `
apiVersion: countersign.dev/v1
kind: EndUserAuthentication
metadata: { name: orders, namespace: shop }
spec: { issuer: '${provider.issuer}', audiences: ['${AUDIENCE}'], includePaths: [/], forwardOriginalToken: true }
`
    const samples: Record<'none' | 'RS256' | 'ES256', Sample[]> = { none: [], RS256: [], ES256: [] }
    for (let round = 0; round < ROUNDS; round++) {
      await bench.mesh.remove('tokens')
      await until('no policy', async () => (await call({ url })).status === 200 || undefined)
      samples.none.push(await measure(url, token.RS256, running))
      await bench.mesh.applyText('tokens', policy)
      await until('the policy', async () => (await call({ url })).status === 401 || undefined)
      for (const algorithm of ['RS256', 'ES256'] as const) {
        const headers = { authorization: `Bearer ${token[algorithm]}` }
        await until('the keys', async () => (await call({ url, headers })).status === 200 || undefined)
        samples[algorithm].push(await measure(url, token[algorithm], running))
      }
    }
    const row = (name: string, list: readonly Sample[]) => ({
      name,
      cells: [list.map(({ medianMs }) => medianMs), list.map(({ p99Ms }) => p99Ms), list.map(({ cpuUs }) => cpuUs)].map(
        values => formatFigure(median(values))
      )
    })
    return {
      columns: ['ms, median', 'ms, 99th percentile', 'µs of the proxy’s CPU'],
      rows: [
        row('no policy, the token is not looked at', samples.none),
        row('a token with an RSA key of 2048 bits', samples.RS256),
        row('a token with a P-256 key', samples.ES256)
      ]
    }
  }
}

async function startOrders({ mesh }: BenchMesh): Promise<RunningPod> {
  const deployments = readDeployments(await readManifests(join(import.meta.dirname, '../../examples/shop')))
  const deployment = deployments.get('orders')
  if (deployment === undefined) throw new Error('examples/shop has no Deployment orders')
  return mesh.run(podFromDeployment(deployment, mesh.placement()))
}

async function measure(url: string, token: string, { proxy }: RunningPod): Promise<Sample> {
  const times: number[] = []
  const before = await cpuSeconds(proxy?.pid)
  const instance = autocannon({
    url,
    headers: { authorization: `Bearer ${token}` },
    connections: CONNECTIONS,
    duration: SECONDS
  })
  instance.on('response', (_client, _status, _bytes, ms) => times.push(ms))
  const { non2xx, errors } = await instance
  if (times.length === 0 || non2xx + errors > 0)
    throw new Error(`${url} gave ${times.length} answers, ${non2xx} with a wrong status, and ${errors} failed`)
  const used = (await cpuSeconds(proxy?.pid)) - before
  return { medianMs: median(times), p99Ms: percentile(times, 99), cpuUs: (used / times.length) * 1_000_000 }
}

/** Of all threads, since the process began. Source: proc_pid_stat(5), utime and stime. */
async function cpuSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const [utime = Number.NaN, stime = Number.NaN] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return (utime + stime) / TICKS_PER_SECOND
}
