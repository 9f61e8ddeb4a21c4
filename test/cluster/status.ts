import type { Cluster } from './cluster.ts'
import { NODE_PROGRAMS } from './cluster-node.ts'
import { CONTROL_PROGRAMS } from './control-plane.ts'

/** What `npm run cluster status` shows. */
export interface Status {
  readonly lines: readonly string[]
  /** Everything that should run does, and every node is Ready. */
  readonly healthy: boolean
}

/** Asks every program of a cluster whether it runs, and the API server for its nodes. */
export async function statusOf(cluster: Cluster): Promise<Status> {
  const { kubernetes, ready } = cluster.description
  const machines = [
    { machine: cluster.control, programs: CONTROL_PROGRAMS },
    ...cluster.nodes.map(({ machine }) => ({ machine, programs: NODE_PROGRAMS }))
  ]
  const states = await Promise.all(
    machines.map(async ({ machine, programs }) => {
      const running = await Promise.all(programs.map(program => machine.isRunning(program).catch(() => false)))
      const dead = programs.filter((_, index) => running[index] === false)
      return { name: machine.name.name, dead }
    })
  )
  const { code, stdout, stderr } = await cluster.kubectlOutcome(['get', 'nodes', '-o', 'wide', '--request-timeout=5s'])
  const allReady =
    code === 0 && !/\bNotReady\b/.test(stdout) && stdout.trim().split('\n').length === cluster.nodes.length + 1
  const lines = [
    `Kubernetes ${kubernetes}, ${cluster.nodes.length} node(s), state in ${cluster.layout.folder}`,
    ...(ready ? [] : ['it was not brought up to the end: `npm run cluster down`, then `up`']),
    ...states.map(
      ({ name, dead }) => `${name}: ${dead.length === 0 ? 'all programs run' : `not running: ${dead.join(', ')}`}`
    ),
    (code === 0 ? stdout : stderr).trim()
  ]
  return { lines, healthy: ready && allReady && states.every(({ dead }) => dead.length === 0) }
}
