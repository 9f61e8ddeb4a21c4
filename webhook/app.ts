import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { type Clock, sleep, systemClock } from '../shared/clock/index.ts'
import type { Address, Running } from '../shared/config/index.ts'
import { createHealthServer } from '../shared/health/index.ts'
import { Readiness } from '../shared/lifecycle/index.ts'
import type { Logger } from '../shared/log/index.ts'
import { createAdmissionMetrics, createAdmissionServer, reviewPod, reviewPolicy } from './admission/index.ts'
import {
  CertificateFolder,
  keepBundleFile,
  OwnCertificate,
  type ServingCertificateSource
} from './certificate/index.ts'
import type { WebhookOptions } from './options.ts'
import { injectionSettings } from './settings.ts'

export interface Webhook extends Running {
  readonly address: Address
  readonly healthAddress: Address
}

/** The webhook, from its options to an open door. What was opened before a failure is closed again. */
export async function startWebhook(options: WebhookOptions, log: Logger, clock: Clock = systemClock): Promise<Webhook> {
  const settings = injectionSettings(options)
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

    const certificates = await openCertificates(options, log.child({ room: 'certificate' }), clock)
    opened.push(() => certificates.close())
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

    const door = await createAdmissionServer({
      address: options.listenAddress,
      certificates,
      reviewers: {
        '/inject': request => reviewPod(request, settings),
        '/validate': request => reviewPolicy(request)
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

function openCertificates(options: WebhookOptions, log: Logger, clock: Clock): Promise<ServingCertificateSource> {
  const { certificateFolder: folder, dnsNames, certificateLifetime: lifetimeMs } = options
  return folder === undefined
    ? OwnCertificate.create({ dnsNames, lifetimeMs, clock, log })
    : CertificateFolder.open({ folder, clock, log })
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
