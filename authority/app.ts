import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { systemClock } from '../shared/clock/index.ts'
import { formatAddress, type Running } from '../shared/config/index.ts'
import { createHealthServer } from '../shared/health/index.ts'
import { SpiffeId } from '../shared/identity/index.ts'
import type { InventorySource } from '../shared/inventory/index.ts'
import type { KubeClient } from '../shared/kube/index.ts'
import { Readiness } from '../shared/lifecycle/index.ts'
import type { Logger } from '../shared/log/index.ts'
import { CertificateAuthority } from '../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import { AUTHORITY_SERVER_OPTIONS, InjectedServer, listenTls, serviceDefinition } from '../shared/rpc/index.ts'
import type { Issuer, TrustBundle } from '../shared/x509/index.ts'
import { identifyPeer, podTokenVerifier } from './authentication/index.ts'
import { CertificateSecrets, type Trust } from './certificate-secrets/index.ts'
import { DefinitionCheck, definitionProblems } from './definitions/index.ts'
import { addDistributionService, addEndUserKeysService } from './distribution/index.ts'
import { type Foundations, onFolder, onKubernetes, type Start } from './foundations.ts'
import { certificateAuthorityService, DEFAULT_LIFETIMES } from './issuance/index.ts'
import { BlockedAddresses, KeyRing, KeySetKeeper, keySetName } from './keys/index.ts'
import { LeaderElector } from './leadership/index.ts'
import { LoginSecrets } from './login-secrets/index.ts'
import { LiveMesh } from './mesh/index.ts'
import { AuthorityMetrics } from './metrics/index.ts'
import { type MeshSettings, tokenSources } from './naming/index.ts'
import type { AuthorityOptions } from './options.ts'
import { ServingCertificate } from './serving/index.ts'
import { admissionRules, type Surroundings, surroundings } from './settings.ts'
import { policyStatuses, StatusWriter, serviceStatuses, unreadableStatuses } from './status/index.ts'

const clock = systemClock

/** A provider, or an API server, that has not answered by then is down. */
const FIRST_ANSWERS_MS = 6_000

/** The authority, from its root to the first agent answered. What was opened before a failure is closed again. */
export async function startAuthority(options: AuthorityOptions, log: Logger): Promise<Running> {
  const place = surroundings(options)
  const opened: Start['opened'] = []
  const close = async (): Promise<void> => {
    for (const closeOne of opened.splice(0).reverse()) await closeOne()
  }
  try {
    await start(place, options, log, opened)
    return { close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

async function start(
  place: Surroundings,
  options: AuthorityOptions,
  log: Logger,
  opened: Start['opened']
): Promise<void> {
  const { trustDomain, systemNamespace: namespace, clusterDomain, minimumTlsWithoutProxy } = options
  const rules = admissionRules(options, place)
  const readiness = new Readiness(log)
  const listening = readiness.owe('listening for agents')

  // Health first: in a cluster the rest waits for the API server, however long that is away.
  let root: Issuer | undefined
  const metrics = new AuthorityMetrics(() => root?.certificate.notAfter ?? Number.NaN)
  const health = await createHealthServer({ address: options.health, readiness, registry: metrics.registry, log })
  opened.push(() => health.close())

  // The root, what there is in the mesh, and how tokens are judged.
  const begin: Start = { options, readiness, metrics, log, opened }
  const foundations = place.kind === 'folder' ? await onFolder(place, begin) : await onKubernetes(place, begin)
  const issuer = foundations.root
  root = issuer
  const bundle: TrustBundle = { trustDomain, roots: [issuer.certificate] }
  const settings: MeshSettings = {
    trustDomain,
    bundles: [bundle],
    clusterDomain,
    minimumTlsWithoutProxy,
    rootNamespace: namespace,
    keySetName,
    ...rules
  }
  const [keys, loginSecrets] = await Promise.all([
    followKeys(foundations, begin),
    followLoginSecrets(foundations, begin)
  ])
  const mesh = new LiveMesh({ source: foundations.source, settings, keys, loginSecrets, observer: metrics.mesh, log })
  opened.push(() => mesh.close())
  if (foundations.client !== undefined)
    lead(foundations.client, { source: foundations.source, mesh, keys, trust: { issuer, bundle } }, begin)

  // What agents ask for: certificates, and the mesh.
  const server = new InjectedServer(AUTHORITY_SERVER_OPTIONS)
  const lifetimeMs = options.certificateLifetime
  const issuing = certificateAuthorityService({
    log,
    clock,
    issuer: { current: () => issuer },
    trustBundle: () => bundle,
    verifyToken: podTokenVerifier(foundations.tokenKeys, foundations.tokenIssuers, clock),
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

  addEndUserKeysService(server, {
    keySetsOf: (node, podUid) => mesh.keySetsOf(node, podUid),
    unknownKey: name => keys.unknownKey(name),
    log
  })

  const serving = await ServingCertificate.create({
    issuer: { current: () => issuer },
    trustDomain,
    lifetimeMs,
    clock,
    log
  })
  opened.push(() => serving.close())
  opened.push(() => server.close())
  const listener = await listenTls({
    address: formatAddress(options.listen),
    credentials: serving,
    identify: chain => identifyPeer(chain, bundle, clock.now()),
    server,
    log
  })
  opened.push(() => listener.close())
  listening.pay()
  log.info(
    {
      spiffeId: SpiffeId.authority(trustDomain).toString(),
      port: listener.port,
      root: issuer.certificate.serialNumber
    },
    'agents are answered'
  )
}

/** The keys that policies name, followed; each was asked for once, or is being asked for longer than anybody waits. */
async function followKeys(
  { source, keySets: { store, remembered } }: Foundations,
  { options, metrics, log, opened }: Start
): Promise<KeyRing> {
  const { keyRoots } = options
  const ring = new KeyRing({
    clock,
    random: Math.random,
    log,
    blockedAddresses: new BlockedAddresses(options.blockedKeyAddresses),
    ...(keyRoots === undefined ? {} : { ca: () => readFileSync(keyRoots, 'utf8') }),
    remembered,
    observer: metrics.keys
  })
  opened.push(() => ring.close())
  const keeper = new KeySetKeeper({ ring, store, clock, random: Math.random, log })
  opened.push(() => keeper.close())
  const follow = (): void => ring.follow(tokenSources(source.current()))
  opened.push(source.subscribe(follow))
  follow()
  // Agents would take "no keys yet" for "no keys", and refuse tokens that they took before the authority was restarted.
  await ring.settled(FIRST_ANSWERS_MS)
  return ring
}

/** What is said of the mesh, and delivered, by one replica alone. */
interface Led {
  readonly source: InventorySource
  readonly mesh: LiveMesh
  readonly keys: KeyRing
  readonly trust: Trust
}

/** What only one replica may do: tell the authors of policies what was made of them, and write Secrets. */
function lead(client: KubeClient, led: Led, begin: Start): void {
  const { options, metrics, log, opened } = begin
  const elector = new LeaderElector({
    client,
    clock,
    random: Math.random,
    log,
    namespace: options.systemNamespace,
    leaseName: 'countersign-authority',
    // A container that is started again has the name of its pod again, and must not take its former self for itself.
    identity: `${hostname()}_${randomUUID()}`,
    monotonic: () => performance.now()
  })
  opened.push(() => elector.close())
  metrics.onLeader(false)
  elector.subscribe(leader => metrics.onLeader(leader))
  const definitions = new DefinitionCheck({ client, clock, random: Math.random, log, observer: metrics.definitions })
  opened.push(() => definitions.close())
  tellStatuses(client, elector, { ...led, definitions }, begin)
  deliverSecrets(client, elector, led, begin)
}

function tellStatuses(
  client: KubeClient,
  leadership: LeaderElector,
  { source, mesh, keys, definitions }: Led & { readonly definitions: DefinitionCheck },
  { options, log, opened }: Start
): void {
  const writer = new StatusWriter({ client, leadership, clock, random: Math.random, log })
  opened.push(() => writer.close())
  const statuses = () => [
    ...serviceStatuses(mesh.problems),
    ...policyStatuses({
      inventory: source.current(),
      rootNamespace: options.systemNamespace,
      problems: [...mesh.problems, ...definitionProblems(definitions.current(), source.current())],
      workloads: mesh.workloads(),
      keysOf: tokens => keys.current().get(keySetName(tokens))
    }),
    ...unreadableStatuses(source.current(), options.systemNamespace, mesh.problems)
  ]
  for (const changing of [source, keys, definitions]) opened.push(changing.subscribe(() => writer.want(statuses)))
  writer.want(statuses)
}

/** Certificates for those who read files. Also where none are allowed: a namespace that asks for them is told of. */
function deliverSecrets(
  client: KubeClient,
  leadership: LeaderElector,
  { source, mesh, trust }: Led,
  { options, metrics, log, opened }: Start
): void {
  const { trustDomain, clusterDomain, secretLifetime, secretShortestLifetime, secretLongestLifetime } = options
  const secrets = new CertificateSecrets({
    client,
    leadership,
    namespaces: options.secretNamespaces,
    systemNamespace: options.systemNamespace,
    mesh: {
      current: () => ({ namespaces: source.current().namespaces, services: mesh.services }),
      subscribe: listener => source.subscribe(listener)
    },
    // The root is read when the authority starts, and cannot change while it runs.
    trust: { current: () => trust, subscribe: () => () => {} },
    surroundings: {
      trustDomain,
      clusterDomain,
      limits: {
        standardMs: secretLifetime,
        shortestMs: secretShortestLifetime,
        longestMs: secretLongestLifetime
      }
    },
    observer: metrics.certificateSecrets,
    clock,
    random: Math.random,
    log
  })
  opened.push(() => secrets.close())
}

/** The secrets that logins name, followed; each was asked for once, for the same reason. */
async function followLoginSecrets({ source, secrets: store }: Foundations, { log, opened }: Start) {
  const secrets = new LoginSecrets({ store, clock, random: Math.random, log })
  opened.push(() => secrets.close())
  const follow = (): void => secrets.follow(source.current().endUserAuthentications)
  opened.push(source.subscribe(follow))
  follow()
  await secrets.settled(FIRST_ANSWERS_MS)
  return secrets
}
