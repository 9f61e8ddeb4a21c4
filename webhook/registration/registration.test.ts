import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { FakeApiServer, type StoredObject, status } from '../../shared/kube/api-server.test-support.ts'
import { COLLECTIONS, collectionPath } from '../../shared/kube/index.ts'
import { clientOf } from '../../shared/kube/kube.test-support.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { OwnCertificate } from '../certificate/index.ts'
import { recordingLogger } from '../webhook.test-support.ts'
import { Registration, SecretRoots } from './index.ts'

const NAME = 'countersign-webhook'
const SYSTEM = 'countersign-system'
const MUTATING = collectionPath(COLLECTIONS.mutatingWebhooks)
const VALIDATING = collectionPath(COLLECTIONS.validatingWebhooks)
const SECRETS = collectionPath(COLLECTIONS.secrets)
const LIFE = 24 * 3_600_000
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const configuration = (...names: string[]) => ({
  metadata: { name: NAME },
  webhooks: names.map(name => ({ name, timeoutSeconds: 5, clientConfig: { service: { path: '/inject' } } }))
})

async function cluster(): Promise<FakeApiServer> {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  server.put(MUTATING, configuration('pod.countersign.dev', 'other.countersign.dev'))
  server.put(VALIDATING, configuration('policy.countersign.dev'))
  server.put(MUTATING, { ...configuration('pod.example.com'), metadata: { name: 'somebody-else' } })
  return server
}

async function replica(server: FakeApiServer, clock: FakeClock) {
  const client = await clientOf(server, clock)
  closers.push(() => client.close())
  const { log, lines } = recordingLogger()
  const shared = new SecretRoots({ client, namespace: SYSTEM, log })
  const certificates = await OwnCertificate.create({ dnsNames: ['a.test'], lifetimeMs: LIFE, shared, clock, log })
  closers.push(() => certificates.close())
  const registration = new Registration({ client, name: NAME, certificates, clock, random: () => 0.5, log })
  closers.push(() => registration.close())
  return { certificates, registration, lines }
}
type Replica = Awaited<ReturnType<typeof replica>>

interface Webhook {
  readonly name: string
  readonly clientConfig: { readonly caBundle?: string; readonly service: object }
}

const webhooks = (server: FakeApiServer, kind: string, name = NAME): readonly Webhook[] =>
  ((server.find(kind, name) as StoredObject)['webhooks'] ?? []) as Webhook[]

/** Every bundle that the API server has, as PEM, each once. */
function bundles(server: FakeApiServer): readonly string[] {
  const all = [...webhooks(server, MUTATING), ...webhooks(server, VALIDATING)]
  return [...new Set(all.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? '', 'base64').toString()))]
}

const patches = (server: FakeApiServer): number => server.requests.filter(({ method }) => method === 'PATCH').length
const rootsOf = (pem = ''): string[] => pem.match(/-----BEGIN CERT[\s\S]+?-----END CERTIFICATE-----\n/g) ?? []

async function registered(server: FakeApiServer, clock: FakeClock, { certificates }: Replica): Promise<void> {
  await eventually(async () => {
    await clock.advance(100)
    const [bundle, ...others] = bundles(server)
    return others.length === 0 && bundle === certificates.current().caBundle
  }, 'the registration')
}

describe('the registration of the webhook', () => {
  it('puts its roots into every webhook of both configurations, and touches nothing else', async () => {
    const server = await cluster()
    const clock = new FakeClock(Date.now())
    const one = await replica(server, clock)
    await one.registration.registered
    assert.deepEqual(bundles(server), [one.certificates.current().caBundle])
    const [first] = webhooks(server, MUTATING)
    assert.deepEqual(first?.clientConfig.service, { path: '/inject' })
    assert.equal(webhooks(server, MUTATING, 'somebody-else')[0]?.clientConfig.caBundle, undefined)
    assert.equal(patches(server), 2)
  })

  it('waits for configurations that are not there yet', async () => {
    const server = await cluster()
    server.remove(VALIDATING, NAME)
    const clock = new FakeClock(Date.now())
    const one = await replica(server, clock)
    let told = false
    void one.registration.registered.then(() => {
      told = true
    })
    await eventually(() => patches(server) === 1, 'the configuration that is there')
    await clock.advance(10_000)
    assert.equal(told, false)
    server.put(VALIDATING, configuration('policy.countersign.dev'))
    await registered(server, clock, one)
    await one.registration.registered
  })

  it('is repaired when somebody changes it', async () => {
    const server = await cluster()
    const clock = new FakeClock(Date.now())
    const one = await replica(server, clock)
    await one.registration.registered
    server.put(MUTATING, configuration('pod.countersign.dev', 'new.countersign.dev'))
    await registered(server, clock, one)
    assert.equal(webhooks(server, MUTATING).length, 2)
  })

  it('is tried again while the API server refuses', async () => {
    const server = await cluster()
    let refusals = 0
    server.intercept = (request, response) => {
      if (request.method !== 'PATCH' || refusals === 4) return false
      refusals++
      status(response, 403, 'Forbidden')
      return true
    }
    const clock = new FakeClock(Date.now())
    const one = await replica(server, clock)
    await registered(server, clock, one)
    await one.registration.registered
    assert.equal(refusals, 4)
  })

  it('ends with nothing left behind', async () => {
    const server = await cluster()
    const clock = new FakeClock(Date.now())
    const one = await replica(server, clock)
    await one.registration.registered
    await one.registration.close()
    one.certificates.close()
    assert.equal(clock.pending, 0)
  })
})

describe('two replicas', () => {
  it('that start together have the same roots and different keys, and do not fight', async () => {
    const server = await cluster()
    const clock = new FakeClock(Date.now())
    const [one, other] = await Promise.all([replica(server, clock), replica(server, clock)])
    await Promise.all([one.registration.registered, other.registration.registered])
    const [a, b] = [one.certificates.current(), other.certificates.current()]
    assert.equal(a.caBundle, b.caBundle)
    assert.notEqual(a.serialNumber, b.serialNumber)
    assert.deepEqual(bundles(server), [a.caBundle])
    const before = patches(server)
    await clock.advance(5 * 60_000)
    assert.equal(patches(server), before)
    assert.ok(before <= 4, `${before} patches`)
  })

  it('that finds another bundle looks at the shared roots before it writes', async () => {
    const server = await cluster()
    const clock = new FakeClock(Date.now())
    const one = await replica(server, clock)
    await one.registration.registered
    // Another replica, of which this one knows nothing, has made the next root and published it.
    const secret = server.find(SECRETS, 'countersign-webhook-ca', SYSTEM)
    const both = `${rootsPem(server)}${await foreignPem()}`
    server.put(SECRETS, { ...secret, data: { 'roots.pem': Buffer.from(both).toString('base64') } })
    const bundle = rootsOf(both).join('')
    for (const [kind, name] of [
      [MUTATING, 'pod.countersign.dev'],
      [VALIDATING, 'policy.countersign.dev']
    ] as const)
      server.put(kind, {
        metadata: { name: NAME },
        webhooks: [{ name, clientConfig: { caBundle: Buffer.from(bundle).toString('base64') } }]
      })
    await eventually(async () => {
      await clock.advance(100)
      return one.certificates.current().caBundle === bundle
    }, 'the bundle of both')
    assert.equal(patches(server), 2)
  })
})

function rootsPem(server: FakeApiServer): string {
  const data = server.find(SECRETS, 'countersign-webhook-ca', SYSTEM)?.['data'] as Record<string, string>
  return Buffer.from(data['roots.pem'] ?? '', 'base64').toString()
}

/** The root of a webhook of another cluster. */
async function foreignPem(): Promise<string> {
  const server = await cluster()
  await replica(server, new FakeClock(Date.now()))
  return rootsPem(server)
}

describe('shared roots', () => {
  it('are put back when somebody deletes them', async () => {
    const server = await cluster()
    const clock = new FakeClock(Date.now())
    const one = await replica(server, clock)
    const before = rootsPem(server)
    server.remove(SECRETS, 'countersign-webhook-ca', SYSTEM)
    await one.certificates.refresh()
    assert.equal(rootsPem(server), before)
  })

  for (const [title, text] of [
    ['is empty', ''],
    [
      'is damaged',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'
    ]
  ] as const)
    it(`are made anew when their Secret ${title}`, async () => {
      const server = await cluster()
      const metadata = { name: 'countersign-webhook-ca', namespace: SYSTEM }
      server.put(SECRETS, { metadata, data: { 'roots.pem': Buffer.from(text).toString('base64') } })
      const clock = new FakeClock(Date.now())
      const one = await replica(server, clock)
      await one.registration.registered
      assert.equal(rootsOf(rootsPem(server)).join(''), one.certificates.current().caBundle)
    })

  it('never appear in the log', async () => {
    const server = await cluster()
    const one = await replica(server, new FakeClock(Date.now()))
    await one.registration.registered
    assert.ok(!JSON.stringify(one.lines).includes('PRIVATE KEY'))
  })
})
