import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { recipes } from '../../tools/images/index.ts'
import type { Cluster } from './cluster.ts'

const ROOT = join(import.meta.dirname, '../..')
const CHART = join(ROOT, 'charts/countersign')
const NAMESPACE = 'countersign-system'
const TIMEOUT = '180s'

/**
 * What `helm install` is told. The chart's own names for the images of the programs are those of this checkout; the
 * proxy's is a public one, which no node here could pull.
 *
 * @throws TypeError when the proxy is not among `references`, each `<repository>:<tag>`
 */
export function chartArguments(references: ReadonlyMap<string, string>): string[] {
  const [, repository, tag] = /^(.+):([^:/]+)$/.exec(references.get('proxy') ?? '') ?? []
  if (repository === undefined || tag === undefined) throw new TypeError('there is no image proxy')
  return [
    ...['install', 'countersign', CHART, '--namespace', NAMESPACE, '--create-namespace'],
    ...['--set-string', `images.proxy.repository=${repository}`, '--set-string', `images.proxy.tag=${tag}`],
    ...['--wait', '--timeout', TIMEOUT]
  ]
}

/**
 * Installs Countersign from the chart of this checkout, and waits until it is ready. The variable CAPTURE, where it is
 * set, says by what traffic is captured.
 *
 * @param more further arguments of `helm install`
 * @returns `false` when this checkout has no chart
 * @throws ClusterError with what helm said
 */
export async function installChart(cluster: Cluster, more: readonly string[] = []): Promise<boolean> {
  if (!existsSync(join(CHART, 'Chart.yaml'))) return false
  const references = new Map([...recipes(ROOT)].map(([name, { reference }]) => [name, reference]))
  const { CAPTURE } = process.env
  const capture = CAPTURE ? ['--set-string', `agent.capture=${CAPTURE}`] : []
  await cluster.helm([...chartArguments(references), ...capture, ...more])
  return true
}
