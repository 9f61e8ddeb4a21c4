import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { recipes } from '../../tools/images/index.ts'
import type { Cluster } from './cluster.ts'

const ROOT = join(import.meta.dirname, '../..')
const CHART = join(ROOT, 'charts/countersign')
const NAMESPACE = 'countersign-system'
const TIMEOUT = '180s'

// What the chart is told of: the example is no part of it.
const PROGRAMS = ['webhook', 'authority', 'agent', 'node', 'proxy']

/**
 * What `helm install` is told: the images of this checkout, by the names under which the nodes have them.
 *
 * @throws TypeError when one is not among `references`
 */
export function chartArguments(references: ReadonlyMap<string, string>): string[] {
  const images = PROGRAMS.map(name => {
    const reference = references.get(name)
    if (reference === undefined) throw new TypeError(`there is no image ${name}`)
    return `images.${name}=${reference}`
  })
  return [
    ...['install', 'countersign', CHART, '--namespace', NAMESPACE, '--create-namespace'],
    ...images.flatMap(value => ['--set-string', value]),
    ...['--wait', '--timeout', TIMEOUT]
  ]
}

/**
 * Installs Countersign from the chart of this checkout, and waits until it is ready.
 *
 * @param more further arguments of `helm install`
 * @returns `false` when this checkout has no chart
 * @throws ClusterError with what helm said
 */
export async function installChart(cluster: Cluster, more: readonly string[] = []): Promise<boolean> {
  if (!existsSync(join(CHART, 'Chart.yaml'))) return false
  const references = new Map([...recipes(ROOT)].map(([name, { reference }]) => [name, reference]))
  await cluster.helm([...chartArguments(references), ...more])
  return true
}
