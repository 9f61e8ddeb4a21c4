import { getCACertificates } from 'node:tls'
import { systemClock } from '../shared/clock/index.ts'
import { formatAddress, type Running } from '../shared/config/index.ts'
import { createHealthServer } from '../shared/health/index.ts'
import { Readiness } from '../shared/lifecycle/index.ts'
import type { Logger } from '../shared/log/index.ts'
import { InjectedServer, UNIX_SERVER_OPTIONS } from '../shared/rpc/index.ts'
import { AuthorityLink, BundleFile } from './authority/index.ts'
import { CaptureGate, NodeCapture } from './capture/index.ts'
import { addDiscoveryServices } from './discovery/index.ts'
import { AgentMetrics } from './metrics/index.ts'
import type { AgentOptions } from './options.ts'
import { PodSnapshots } from './serving/index.ts'
import { StateFolder } from './state/index.ts'
import { addAccessLogService, UnknownKeyReports } from './unknown-keys/index.ts'
import { VolumeSet, VolumeSockets } from './volume/index.ts'
import { WorkloadIdentities } from './workload/index.ts'

/** The agent of one node, from what it kept to the first proxy served. */
export async function startAgent(options: AgentOptions, log: Logger): Promise<Running> {
  const clock = systemClock
  const random = Math.random
  const readiness = new Readiness(log)
  const debts = {
    sockets: readiness.owe('every pod has its socket'),
    identity: readiness.owe('own certificate'),
    mesh: readiness.owe('mesh state')
  }

  // What there is from before: volumes, keys, certificates, the last mesh state.
  const state = new StateFolder(options.state, log)
  const volumes = new VolumeSet({ folder: state.volumes, clock, log })
  volumes.start()
  const bundle = new BundleFile({ path: options.bundle, trustDomain: options.trustDomain, clock, log })
  bundle.start()

  // The authority: the agent's own identity, the pods' certificates, the mesh.
  const metrics = new AgentMetrics({ clock })
  const link = new AuthorityLink({
    address: formatAddress(options.authority),
    trustDomain: options.trustDomain,
    node: options.node,
    tokenPath: options.token,
    bundle,
    state,
    observer: metrics.agentRotation,
    clock,
    random,
    log
  })
  const identities = new WorkloadIdentities({
    trustDomain: options.trustDomain,
    volumes,
    authority: link.issuing,
    store: state.identities,
    verify: chain => link.trust.verify(chain),
    observer: metrics.podRotation,
    clock,
    random,
    log
  })
  link.onAvailable(() => identities.hurry())
  link.trust.subscribe(() => identities.recheck())

  // The pods' proxies: a socket each, and behind it what that pod is to have.
  const snapshots = new PodSnapshots({
    volumes,
    identities,
    mesh: link.mesh,
    interception: options.interception,
    // Mozilla's, and what NODE_EXTRA_CA_CERTS adds.
    webRoots: getCACertificates('default').join('\n'),
    log
  })
  const server = new InjectedServer(UNIX_SERVER_OPTIONS)
  const capture = options.interception === 'redirect' ? new NodeCapture(options.captureSocket) : undefined
  const gate = capture && new CaptureGate({ capture, volumes, clock, random, log })
  addDiscoveryServices(server, {
    source: peer => (gate === undefined ? snapshots.sourceFor(peer) : gate.sourceFor(peer, snapshots)),
    observer: metrics.discovery,
    clock,
    log
  })
  const unknownKeys = new UnknownKeyReports({ report: podUid => link.unknownKeys.report(podUid), clock, log })
  addAccessLogService(server, podUid => unknownKeys.seen(podUid))
  const sockets = new VolumeSockets({
    volumes,
    handler: server,
    clock,
    log
  })
  metrics.watch({ volumes, identities, link })

  const health = await createHealthServer({
    address: options.health,

    readiness,
    registry: metrics.registry,
    log
  })
  identities.start()
  await sockets.start()
  debts.sockets.pay()
  payWhen(debts.identity, link.identity, () => link.identity.current() !== undefined)
  payWhen(debts.mesh, link.mesh, () => link.mesh.current().synced)
  link.start()

  return {
    async close() {
      await sockets.close()
      server.close()
      unknownKeys.close()
      capture?.close()
      snapshots.close()
      identities.close()
      link.close()
      bundle.close()
      volumes.close()
      await health.close()
    }
  }
}

function payWhen(
  debt: { pay(): void },
  source: { subscribe(listener: () => void): () => void },
  paid: () => boolean
): void {
  const look = (): void => {
    if (paid()) debt.pay()
  }
  source.subscribe(look)
  look()
}
