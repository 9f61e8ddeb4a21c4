import type { V1Lease, V1Pod } from '@kubernetes/client-node'
import type { Cluster } from '../index.ts'

const SYSTEM = 'countersign-system'

/** The authority that leads. */
export interface Leader {
  readonly pod: string
  /** Of its process: the one that is started again in the same pod has another. */
  readonly identity: string
  /** Kills its program, which says nothing to anybody; the kubelet starts it again, as another candidate. */
  kill(): Promise<void>
}

async function read<Shape>(cluster: Cluster, kind: string, name: string): Promise<Shape> {
  return JSON.parse(await cluster.kubectl(['get', kind, '-n', SYSTEM, name, '-o', 'json']))
}

/** The identity of who leads; empty: nobody does. */
export async function leadingIdentity(cluster: Cluster): Promise<string> {
  return (await read<V1Lease>(cluster, 'lease', 'countersign-authority')).spec?.holderIdentity ?? ''
}

/** @throws Error when nobody leads */
export async function leaderOf(cluster: Cluster): Promise<Leader> {
  const identity = await leadingIdentity(cluster)
  const [pod = ''] = identity.split('_')
  if (pod === '') throw new Error('nobody leads')
  const node = cluster.node((await read<V1Pod>(cluster, 'pod', pod)).spec?.nodeName ?? '')
  for (const { pid, command } of await node.processes()) {
    if (!command.includes('/app/authority/main.ts')) continue
    // The other one may run on the same node.
    const { stdout: environment } = await node.run(['cat', `/proc/${pid}/environ`])
    if (environment.split('\0').includes(`HOSTNAME=${pod}`))
      return { pod, identity, kill: () => node.signal(pid, 'KILL') }
  }
  throw new Error(`no authority runs in ${pod}, which leads`)
}
