import { setTimeout as pause } from 'node:timers/promises'
import { applicationContainer } from './application-container.ts'
import type { Benchmark } from './benchmark.ts'
import { benchCluster, INJECTED } from './cluster-mesh.ts'
import { formatFigure } from './table.ts'

const PODS = [0, 2, 50]
const SETTLE_MS = 10_000

/** The programs, each by a part of its command line. */
const PROGRAMS = {
  webhook: '/app/webhook/main.ts',
  authority: '/app/authority/main.ts',
  agent: '/app/agent/main.ts',
  node: '/app/node/main.ts',
  'a proxy (Envoy)': '/run/countersign/envoy.json',
  'an application (Node.js)': '/app/examples/echo/main.ts'
} as const

export const memoryOnCluster: Benchmark = {
  name: 'cluster-memory',
  measured: 'resident MiB of each program by the number of injected pods, the largest process of each',
  peer: 'an application that is nothing but an HTTP server of Node.js',
  needsCluster: true,
  async run(atEnd) {
    const cluster = await benchCluster(atEnd)
    await cluster.apply(...serviceOf(0))
    const measured = new Map<string, string[]>(Object.keys(PROGRAMS).map(name => [name, []]))
    for (const pods of PODS) {
      await cluster.kubectl(['scale', '-n', INJECTED, 'deployment/bench', `--replicas=${pods}`])
      await cluster.kubectl(['rollout', 'status', '-n', INJECTED, 'deployment/bench', '--timeout=300s'])
      await pause(SETTLE_MS)
      const processes = (await Promise.all(cluster.nodes.map(node => node.processes()))).flat()
      for (const [name, part] of Object.entries(PROGRAMS)) {
        const sizes = processes.filter(({ command }) => command.includes(part)).map(({ resident }) => resident)
        measured.get(name)?.push(sizes.length === 0 ? '' : formatFigure(Math.max(...sizes)))
      }
    }
    return {
      columns: PODS.map(pods => `${pods} pods`),
      rows: [...measured].map(([name, cells]) => ({ name, cells }))
    }
  }
}

function serviceOf(replicas: number): object[] {
  const labels = { app: 'bench' }
  const metadata = { name: 'bench', namespace: INJECTED }
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 8080 }] }
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          // A small cluster has not the CPUs that fifty proxies ask for by default.
          metadata: { labels, annotations: { 'countersign.dev/proxy-cpu': '10m' } },
          spec: {
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 2,
            containers: [applicationContainer('application', 8080)]
          }
        }
      }
    }
  ]
}
