import { basename, join } from 'node:path'
import { Registry } from 'prom-client'
import manifest from '../package.json' with { type: 'json' }
import { systemClock } from '../shared/clock/index.ts'
import type { Running } from '../shared/config/index.ts'
import { ensurePrivateFolder, removeTemporaryFiles } from '../shared/files/index.ts'
import { createHealthServer } from '../shared/health/index.ts'
import { Readiness } from '../shared/lifecycle/index.ts'
import type { Logger } from '../shared/log/index.ts'
import { InjectedServer, UNIX_SERVER_OPTIONS } from '../shared/rpc/index.ts'
import { addCaptureService, ChosenRedirector, PodCapture, PodProcesses } from './capture/index.ts'
import { addIdentityService, addNodeService, DRIVER_NAME, OrphanSweep, PublishedVolumes } from './csi/index.ts'
import type { NodeOptions } from './options.ts'
import { Registration, registrationSocket } from './registration/index.ts'
import { CallMetrics, KeptSocket } from './serving/index.ts'

// The kubelet connects anew for every call, and mounts the volumes of many pods at once.
const MOST_KUBELET_CONNECTIONS = 1024
const MOST_AGENT_CONNECTIONS = 16

/** The privileged half of a node: from its folders to the kubelet knowing the driver. */
export async function startNode(options: NodeOptions, log: Logger): Promise<Running> {
  const clock = systemClock
  const readiness = new Readiness(log)
  const registry = new Registry()
  const observer = new CallMetrics(registry)
  const contextOf = (room: string) => ({ observer, log: log.child({ room }) })
  const [csi, capture, registration] = [contextOf('csi'), contextOf('capture'), contextOf('registration')]

  // What is shared with the agent; whoever comes first makes it.
  const recordsFolder = join(options.state, 'volumes')
  for (const folder of [options.state, recordsFolder]) ensurePrivateFolder(folder)
  removeTemporaryFiles(recordsFolder)

  // The kubelet's volumes.
  const podsFolder = join(options.kubelet, 'pods')
  const volumes = new PublishedVolumes({ podsFolder, recordsFolder, log: csi.log })
  const sweep = new OrphanSweep({ volumes, clock, log: csi.log })
  const csiServer = new InjectedServer(UNIX_SERVER_OPTIONS)
  addIdentityService(csiServer, manifest.version, csi)
  addNodeService(csiServer, {
    nodeName: options.node,
    settings: { podsFolder, tokensInSecrets: options.tokensInSecrets },
    volumes,
    context: csi
  })

  // The agent's wishes.
  const captureServer = new InjectedServer(UNIX_SERVER_OPTIONS)
  const debt = readiness.owe('capture')
  const redirector = new ChosenRedirector({ choice: options.capture, clock, debt, log: capture.log })
  const pods = new PodCapture({
    processes: new PodProcesses(options.proc),
    redirector,
    log: capture.log,
    proc: options.proc
  })
  addCaptureService(captureServer, pods, capture)

  // The kubelet's question who is there.
  const endpoint = join(options.kubelet, 'plugins', DRIVER_NAME, basename(options.csiSocket))
  const registrar = new Registration({ driver: DRIVER_NAME, endpoint, readiness, context: registration })
  const registrationServer = new InjectedServer(UNIX_SERVER_OPTIONS)
  registrar.addService(registrationServer)

  const serving = { clock, log, maxConnections: MOST_KUBELET_CONNECTIONS, peer: 'kubelet' }
  const sockets = [
    new KeptSocket({ ...serving, path: options.csiSocket, server: csiServer }),
    new KeptSocket({
      ...serving,
      path: join(options.state, 'node.sock'),
      server: captureServer,
      peer: 'agent',
      maxConnections: MOST_AGENT_CONNECTIONS
    }),
    // The last: once it is there, the kubelet calls.
    new KeptSocket({
      ...serving,
      path: join(options.registration, registrationSocket(DRIVER_NAME)),
      server: registrationServer,
      onLost: () => registrar.lost()
    })
  ]
  const health = await createHealthServer({ address: options.health, flag: 'health', readiness, registry, log })
  sweep.start()
  await redirector.start()
  for (const socket of sockets) await socket.start()

  return {
    async close() {
      // The registration first: the kubelet takes the end of its socket for the end of the driver.
      for (const socket of sockets.toReversed()) await socket.close()
      for (const server of [registrationServer, captureServer, csiServer]) server.close()
      sweep.close()
      redirector.close()
      await health.close()
    }
  }
}
