import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addDiscoveryServices } from '../../agent/discovery/index.ts'
import { composeSnapshot, type MeshState, type PodState } from '../../agent/proxy/index.ts'
import { createBootstrap } from '../../shared/bootstrap/index.ts'
import { systemClock } from '../../shared/clock/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { InjectedServer, listenUnix, UNIX_SERVER_OPTIONS } from '../../shared/rpc/index.ts'
import { TYPE } from '../../shared/xds/index.ts'
import { envoyBinary } from '../envoy/binary.ts'
import { RecordingObserver } from '../fakes/discovery-observer.ts'
import { FakeSnapshotSource } from '../fakes/snapshot-source.ts'
import { eventually, type Namespace, PodCgroup, USER } from './pod.ts'
import type { Program } from './program.ts'

/** The proxy of a captured pod, served everything that the agent would serve it. */
export interface CapturedPod {
  /** Configures the proxy anew, while it runs; resolves when it has taken the new listeners. */
  update(state: MeshState): Promise<void>
  /** The value of a counter of the proxy. */
  stat(name: string): Promise<number>
  /** After the namespace, whose processes it may not outlive. */
  close(): Promise<void>
}

const PEER = 'pod:test'

/** The real proxy in a namespace, configured as a redirected pod's; then the namespace is captured. */
export async function startCapturedPod(
  namespace: Namespace,
  program: Program,
  state: MeshState,
  pod: PodState
): Promise<CapturedPod> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-netns-'))
  chmodSync(folder, 0o777)
  const socketPath = join(folder, 'agent.sock')
  const adminSocket = join(folder, 'admin.sock')
  const source = new FakeSnapshotSource()
  const observer = new RecordingObserver()
  const server = new InjectedServer(UNIX_SERVER_OPTIONS)
  const log = createLogger('test', 'fatal')
  addDiscoveryServices(server, { source: () => source, observer, clock: systemClock, log })
  const door = await listenUnix(socketPath, { mode: 0o666, onConnection: socket => server.accept(socket, PEER) })

  const update = async (next: MeshState): Promise<void> => {
    const { types } = composeSnapshot(next, pod)
    source.set(Object.fromEntries([...types].map(([type, resources]) => [type, resources.values()])))
    const { version = '' } = types.get(TYPE.listener)?.get('outbound') ?? {}
    await eventually(() => {
      const [refusal] = observer.matching('rejected')
      if (refusal !== undefined) throw new Error(`Envoy refuses: ${refusal}`)
      return observer.matching('accepted').some(line => line.includes(`outbound@${version}`))
    }, 'the proxy takes its listeners')
  }

  const file = join(folder, 'envoy.json')
  const { uid: nodeId, name } = pod.workload
  writeFileSync(file, JSON.stringify(createBootstrap({ nodeId, nodeCluster: name, socketPath, adminSocket })))
  const args = ['--concurrency', '1', '--log-level', 'error', '--disable-hot-restart', '--drain-time-s', '1']
  await namespace.start(USER.proxy, [envoyBinary(), '-c', file, ...args, '--drain-strategy', 'immediate'], {
    ready: false,
    stdio: ['ignore', 'ignore', 'inherit']
  })
  await update(state)
  await eventually(async () => (await ask(adminSocket, '/ready')) === 'LIVE\n', 'the proxy is ready')

  const cgroup = new PodCgroup(nodeId)
  const pause = await namespace.start(USER.application, ['sleep', 'infinity'], { ready: false })
  cgroup.add(pause.pid ?? 0)
  await program.apply(nodeId)

  return {
    update,
    async stat(name) {
      const stats = await ask(adminSocket, `/stats?filter=${encodeURIComponent(`^${name.replaceAll('.', '\\.')}$`)}`)
      return Number(stats.split(': ')[1] ?? 0)
    },
    async close() {
      await door.close()
      server.close()
      await cgroup.close()
      rmSync(folder, { recursive: true })
    }
  }
}

/** What the admin interface answers; nothing while it is not there. */
function ask(socketPath: string, path: string): Promise<string> {
  return new Promise(resolve => {
    const asked = request({ socketPath, path, agent: false }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', part => (body += part))
      response.on('end', () => resolve(body))
    })
    asked.on('error', () => resolve(''))
    asked.end()
  })
}
