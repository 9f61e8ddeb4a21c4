import { systemClock } from '../shared/clock/index.ts'
import { formatAddress, type Running } from '../shared/config/index.ts'
import { writeFileAtomically } from '../shared/files/index.ts'
import { createHealthServer } from '../shared/health/index.ts'
import { SpiffeId } from '../shared/identity/index.ts'
import { FolderSource } from '../shared/inventory/folder/index.ts'
import { Readiness } from '../shared/lifecycle/index.ts'
import type { Logger } from '../shared/log/index.ts'
import { CertificateAuthority } from '../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import { AUTHORITY_SERVER_OPTIONS, InjectedServer, listenTls, serviceDefinition } from '../shared/rpc/index.ts'
import { type TrustBundle, toPem } from '../shared/x509/index.ts'
import { identifyPeer, podTokenVerifier, TokenKeyFile } from './authentication/index.ts'
import { addDistributionService } from './distribution/index.ts'
import { certificateAuthorityService, DEFAULT_LIFETIMES } from './issuance/index.ts'
import { LiveMesh } from './mesh/index.ts'
import { AuthorityMetrics } from './metrics/index.ts'
import type { AuthorityOptions } from './options.ts'
import { FileRootStore, openRoot } from './root/index.ts'
import { ServingCertificate } from './serving/index.ts'

/** The authority, from its root to the first agent answered. */
export async function startAuthority(options: AuthorityOptions, log: Logger): Promise<Running> {
  const clock = systemClock
  const { trustDomain, systemNamespace: namespace, clusterDomain } = options
  const readiness = new Readiness(log)
  const listening = readiness.owe('listening for agents')

  // The root, and the bundle by which everybody else knows it.
  const root = await openRoot(new FileRootStore(options.state), { trustDomain, clock })
  const bundle: TrustBundle = { trustDomain, roots: [root.certificate] }
  writeFileAtomically(options.bundleFile, toPem(bundle.roots), 0o644)
  const metrics = new AuthorityMetrics(() => root.certificate.notAfter)

  // What there is in the mesh, and what is known of who asks.
  const source = await FolderSource.open({ path: options.folder, clock, log })
  source.subscribe(() => metrics.onFileProblems(source.problems().length))
  metrics.onFileProblems(source.problems().length)
  const settings = { trustDomain, bundles: [bundle], clusterDomain, rootNamespace: namespace }
  const mesh = new LiveMesh({ source, settings, observer: metrics.mesh, log })
  const tokenKeys = await TokenKeyFile.open({ path: options.tokenKeys, clock, log })

  // What agents ask for: certificates, and the mesh.
  const server = new InjectedServer(AUTHORITY_SERVER_OPTIONS)
  const lifetimeMs = options.certificateLifetime
  const issuing = certificateAuthorityService({
    log,
    clock,
    issuer: { current: () => root },
    trustBundle: () => bundle,
    verifyToken: podTokenVerifier(tokenKeys, { issuers: [options.tokenIssuer] }, clock),
    pods: mesh.pods,
    trustDomain,
    agentAccount: { namespace, serviceAccount: options.agentServiceAccount },
    lifetimes: { ...DEFAULT_LIFETIMES, defaultMs: lifetimeMs, maximumMs: lifetimeMs },
    metrics: metrics.issuance
  })
  server.addService(serviceDefinition(CertificateAuthority), issuing)
  addDistributionService(server, {
    snapshotFor: node => mesh.forNode(node),
    observer: metrics.distribution,
    clock,
    log
  })

  const serving = await ServingCertificate.create({
    issuer: { current: () => root },
    trustDomain,
    lifetimeMs,
    clock,
    log
  })
  const listener = await listenTls({
    address: formatAddress(options.listen),
    credentials: serving,
    identify: chain => identifyPeer(chain, bundle, clock.now()),
    server,
    log
  })
  listening.pay()
  const health = await createHealthServer({
    address: options.health,
    
    readiness,
    registry: metrics.registry,
    log
  })
  log.info(
    { spiffeId: SpiffeId.authority(trustDomain).toString(), port: listener.port, root: root.certificate.serialNumber },
    'agents are answered'
  )

  return {
    async close() {
      listener.close()
      server.close()
      serving.close()
      mesh.close()
      tokenKeys.close()
      await source.close()
      await health.close()
    }
  }
}
