import type { V1Lease, V1Pod } from '@kubernetes/client-node'
import type { Cluster } from '../index.ts'

const SYSTEM = 'countersign-system'

/** The authority that leads. */
export interface Leader {
  readonly pod: string
  /** Kills its program, which says nothing to anybody; the kubelet starts it again, as another candidate. */
  kill(): Promise<void>
}

/** @throws Error when nobody leads */
export async function leaderOf(cluster: Cluster): Promise<Leader> {
  const read = async <Shape>(kind: string, name: string): Promise<Shape> =>
    JSON.parse(await cluster.kubectl(['get', kind, '-n', SYSTEM, name, '-o', 'json']))
  const holder = (await read<V1Lease>('lease', 'countersign-authority')).spec?.holderIdentity
  // Behind the name of the pod is what tells it from the one before in the same pod.
  const pod = holder?.split('_')[0]
  if (pod === undefined || pod === '') throw new Error('nobody leads')
  const node = cluster.node((await read<V1Pod>('pod', pod)).spec?.nodeName ?? '')
  for (const { pid, command } of await node.processes()) {
    if (!command.includes('/app/authority/main.ts')) continue
    // The other one may run on the same node.
    const { stdout: environment } = await node.run(['cat', `/proc/${pid}/environ`])
    if (environment.split('\0').includes(`HOSTNAME=${pod}`)) return { pod, kill: () => node.signal(pid, 'KILL') }
  }
  throw new Error(`no authority runs in ${pod}, which leads`)
}
