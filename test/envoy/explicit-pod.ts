import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addDiscoveryServices } from '../../agent/discovery/index.ts'
import { composeSnapshot, type MeshState, type PodState } from '../../agent/proxy/index.ts'
import { createBootstrap } from '../../shared/bootstrap/index.ts'
import { systemClock } from '../../shared/clock/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { InjectedServer, listenUnix, UNIX_SERVER_OPTIONS } from '../../shared/rpc/index.ts'
import { type Snapshot, TYPE } from '../../shared/xds/index.ts'
import { RecordingObserver } from '../fakes/discovery-observer.ts'
import { FakeSnapshotSource } from '../fakes/snapshot-source.ts'
import { eventually } from './eventually.ts'
import { type RunningEnvoy, startEnvoy } from './running-envoy.ts'

/** A proxy that owns its pod's address, started from the bootstrap file and served over the socket that it names. */
export interface ExplicitPod {
  readonly envoy: RunningEnvoy
  readonly address: string
  /** Configures it anew, while it runs; resolves when it has accepted all that changed. */
  update(state: MeshState, pod: PodState): Promise<void>
  stop(): Promise<void>
}

const PEER = 'pod:test'

/**
 * Stopped by its caller. Rejects when the proxy refuses anything that it is given. `adapt`: what the proxy of a test is
 * given instead of a snapshot.
 */
export async function startExplicitPod(
  state: MeshState,
  pod: PodState,
  adapt: (snapshot: Snapshot) => Snapshot = snapshot => snapshot
): Promise<ExplicitPod> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-pod-'))
  const socketPath = join(folder, 'agent.sock')
  const source = new FakeSnapshotSource()
  const observer = new RecordingObserver()
  const server = new InjectedServer(UNIX_SERVER_OPTIONS)
  const log = createLogger('test', 'fatal')
  addDiscoveryServices(server, { source: () => source, observer, clock: systemClock, log })
  const listener = await listenUnix(socketPath, {
    mode: 0o600,
    onConnection: socket => server.accept(socket, PEER)
  })

  let current: Snapshot = { types: new Map() }
  const update: ExplicitPod['update'] = async (newState, newPod) => {
    const next = adapt(composeSnapshot(newState, newPod))
    const seen = observer.lines.length
    const changes = changesBetween(current, next, observer.matching('accepted').join(' '))
    current = next
    source.set(Object.fromEntries([...next.types].map(([type, resources]) => [type, resources.values()])))
    await eventually(() => assertAccepted(observer.lines.slice(seen), changes))
  }

  const bootstrap = createBootstrap({
    nodeId: pod.workload.uid,
    nodeCluster: `${pod.workload.namespace}/${pod.workload.name}`,
    socketPath,
    adminSocket: join(folder, 'admin.sock')
  })
  let envoy: RunningEnvoy | undefined
  const stop = async (): Promise<void> => {
    await envoy?.stop()
    await listener.close()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    envoy = await startEnvoy({ bootstrap, folder })
    await update(state, pod)
    await envoy.ready()
  } catch (thrown) {
    await stop()
    throw thrown
  }
  return { envoy, address: pod.workload.addresses[0] ?? '', update, stop }
}

/** As the observer writes them down: `name@version`. */
function changesBetween(before: Snapshot, after: Snapshot, acceptedBefore: string): readonly string[] {
  return [...after.types].flatMap(([type, resources]) => {
    const known = before.types.get(type)
    // Every cluster and listener is asked for. Of the rest, what nothing refers to is not, and never accepted; the
    // first time, being ready says that all of it is there.
    const all = type === TYPE.cluster || type === TYPE.listener
    return [...resources.values()]
      .filter(({ name, version }) => known?.get(name)?.version !== version)
      .filter(({ name }) => all || acceptedBefore.includes(` ${name}@`))
      .map(({ name, version }) => `${name}@${version}`)
  })
}

function assertAccepted(lines: readonly string[], changes: readonly string[]): void {
  const refusal = lines.find(line => line.startsWith('rejected'))
  if (refusal !== undefined) throw new Error(`Envoy refuses: ${refusal}`)
  const accepted = new Set(lines.filter(line => line.startsWith('accepted')).flatMap(line => line.split(' ')))
  const missing = changes.filter(change => !accepted.has(change))
  if (missing.length > 0) throw new Error(`Envoy has not accepted ${missing.slice(0, 3).join(', ')}`)
}
