import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { type Clock, sleep, systemClock } from '../shared/clock/index.ts'
import type { Address, Running } from '../shared/config/index.ts'
import { createHealthServer } from '../shared/health/index.ts'
import { KubeClient, retryKubernetes } from '../shared/kube/index.ts'
import { Readiness } from '../shared/lifecycle/index.ts'
import type { Logger } from '../shared/log/index.ts'
import {
  createAdmissionMetrics,
  createAdmissionServer,
  type PortWarningOptions,
  reviewMount,
  reviewPod,
  reviewPolicy
} from './admission/index.ts'
import {
  CertificateFolder,
  keepBundleFile,
  OwnCertificate,
  type ServingCertificateSource
} from './certificate/index.ts'
import type { WebhookOptions } from './options.ts'
import { Registration, SecretRoots } from './registration/index.ts'
import { injectionSettings, mountingSettings } from './settings.ts'
import { workloadFinder } from './workloads/index.ts'

export interface Webhook extends Running {
  readonly address: Address
  readonly healthAddress: Address
}

/** The webhook, from its options to an open door. What was opened before a failure is closed again. */
export async function startWebhook(options: WebhookOptions, log: Logger, clock: Clock = systemClock): Promise<Webhook> {
  const settings = injectionSettings(options)
  const mounting = mountingSettings(options)
  const opened: (() => Promise<void> | void)[] = []
  const closeAll = async (): Promise<void> => {
    for (const close of opened.splice(0).reverse()) await close()
  }
  try {
    const readiness = new Readiness(log.child({ room: 'lifecycle' }))
    const certificateDebt = readiness.owe('serving certificate')
    const doorDebt = readiness.owe('admission server')
    const registry = new Registry()
    collectDefaultMetrics({ register: registry })

    const health = await createHealthServer({
      address: options.healthAddress,
      readiness,
      registry,
      log: log.child({ room: 'health' })
    })
    opened.push(health.close)

    const client = await openClient(options, clock, log)
    if (client !== undefined) opened.push(() => client.close())
    const certificates = await openCertificates({ options, readiness, log, clock, opened, client })
    exposeExpiry(registry, certificates)
    if (options.caBundleFile !== undefined)
      opened.push(
        await keepBundleFile({
          path: options.caBundleFile,
          source: certificates,
          clock,
          log: log.child({ room: 'certificate' })
        })
      )
    certificateDebt.pay()

    const ports: PortWarningOptions = {
      rootNamespace: options.systemNamespace,
      log: log.child({ room: 'admission' }),
      ...(client === undefined ? {} : { findWorkloads: workloadFinder({ client, clock }) })
    }
    const door = await createAdmissionServer({
      address: options.listenAddress,
      certificates,
      reviewers: {
        '/inject': request => reviewPod(request, settings),
        '/certificates': request => reviewMount(request, mounting),
        '/validate': request => reviewPolicy(request, ports)
      },
      metrics: createAdmissionMetrics(registry),
      log: log.child({ room: 'admission' })
    })
    opened.push(door.close)
    doorDebt.pay()

    return {
      address: door.address,
      healthAddress: health.address,
      async close() {
        readiness.owe('shutting down')
        door.drain()
        await sleep(clock, options.shutdownDelay)
        await closeAll()
      }
    }
  } catch (thrown) {
    await closeAll()
    throw thrown
  }
}

interface Start {
  readonly options: WebhookOptions
  readonly readiness: Readiness
  readonly log: Logger
  readonly clock: Clock
  readonly opened: (() => Promise<void> | void)[]
  readonly client: KubeClient | undefined
}

/**
 * The Kubernetes API. Without a registration it only makes warnings better, so it may be missing.
 *
 * @throws CountersignError ERR_OPTION_INVALID when it is needed and there is no way to know where it is
 */
async function openClient(
  { kubeconfig, webhookConfiguration }: WebhookOptions,
  clock: Clock,
  log: Logger
): Promise<KubeClient | undefined> {
  try {
    return await KubeClient.open({ kubeconfig, userAgent: 'countersign-webhook', clock })
  } catch (thrown) {
    if (webhookConfiguration !== undefined) throw thrown
    log.info('no access to the Kubernetes API: warnings of policies cannot name the ports that they close')
    return undefined
  }
}

/** Out of a folder, made by this process alone, or made by all replicas and registered with the API server. */
async function openCertificates(start: Start): Promise<ServingCertificateSource> {
  const { options, clock, opened, client } = start
  const { certificateFolder: folder, webhookConfiguration, dnsNames, certificateLifetime: lifetimeMs } = options
  const log = start.log.child({ room: 'certificate' })
  if (webhookConfiguration !== undefined && client !== undefined)
    return await openRegistered(start, client, webhookConfiguration)
  const certificates =
    folder === undefined
      ? await OwnCertificate.create({ dnsNames, lifetimeMs, clock, log })
      : await CertificateFolder.open({ folder, clock, log })
  opened.push(() => certificates.close())
  return certificates
}

async function openRegistered(
  { options, readiness, log, clock, opened }: Start,
  client: KubeClient,
  name: string
): Promise<ServingCertificateSource> {
  const { systemNamespace: namespace, dnsNames, certificateLifetime: lifetimeMs } = options
  const registrationDebt = readiness.owe('registration')
  const random = Math.random
  const room = log.child({ room: 'certificate' })
  const shared = new SecretRoots({ client, namespace, log: room })
  const create = (): Promise<OwnCertificate> =>
    OwnCertificate.create({ dnsNames, lifetimeMs, shared, clock, log: room })
  const certificates = await retryKubernetes('sharing roots', create, { clock, random, log: room })
  opened.push(() => certificates.close())

  const registration = new Registration({ client, name, certificates, clock, random, log })
  opened.push(() => registration.close())
  void registration.registered.then(() => registrationDebt.pay())
  return certificates
}

function exposeExpiry(registry: Registry, certificates: ServingCertificateSource): void {
  new Gauge({
    name: 'countersign_webhook_certificate_expiry_timestamp_seconds',
    help: 'When the serving certificate in use ends, in seconds since the epoch.',
    registers: [registry],
    collect() {
      this.set(certificates.current().notAfter / 1_000)
    }
  })
}
