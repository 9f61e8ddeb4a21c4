import { call } from '../../cli/local/index.ts'
import { keySet, newSigningKey } from '../oidc/index.ts'
import { BenchMesh } from './bench-mesh.ts'
import type { Benchmark } from './benchmark.ts'
import { median } from './statistics.ts'
import { formatFigure } from './table.ts'

const PODS = 20
const TIMES = 5
const DEADLINE_MS = 30_000

/** A policy is written; the time until the proxies do as it says, from the first to the last. */
export const policy: Benchmark = {
  name: 'policy',
  measured: `from writing a policy to ${PODS} proxies that refuse requests without a token`,
  peer: 'the same for taking it away again',
  async run(atEnd) {
    const bench = await BenchMesh.start(atEnd)
    const urls = (await bench.startPods(PODS)).map(({ running }) => `http://${running.pod.address}:8080/`)
    const jwks = keySet(newSigningKey('ES256'))
    const text = `
apiVersion: countersign.dev/v1
kind: EndUserAuthentication
metadata: { name: orders, namespace: shop }
spec: { issuer: 'https://accounts.test', audiences: [shop], jwks: '${jwks}' }
`
    // There is no application: whoever is let in is answered 503.
    const taken: Record<'written' | 'removed', number[][]> = { written: [], removed: [] }
    await allAnswer(urls, 503)
    for (let time = 0; time < TIMES; time++) {
      await bench.mesh.applyText('policy', text)
      taken.written.push(await allAnswer(urls, 401))
      await bench.mesh.remove('policy')
      taken.removed.push(await allAnswer(urls, 503))
    }
    const row = (name: string, times: readonly number[][]) => ({
      name,
      cells: [
        formatFigure(median(times.map(one => Math.min(...one)))),
        formatFigure(median(times.map(one => Math.max(...one)))),
        formatFigure(Math.max(...times.flat()))
      ]
    })
    return {
      columns: ['first proxy ms, median', `all ${PODS} ms, median`, 'slowest'],
      rows: [row(`policy written, ${TIMES} times`, taken.written), row(`policy removed, ${TIMES} times`, taken.removed)]
    }
  }
}

/** How long it took each of them to answer so, in milliseconds. */
async function allAnswer(urls: readonly string[], expected: number): Promise<number[]> {
  const began = performance.now()
  return Promise.all(
    urls.map(async url => {
      while ((await call({ url })).status !== expected)
        if (performance.now() - began > DEADLINE_MS) throw new Error(`${url} did not come to answer ${expected}`)
      return performance.now() - began
    })
  )
}
