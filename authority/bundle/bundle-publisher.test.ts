import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { FakeApiServer, status } from '../../shared/kube/api-server.test-support.ts'
import { COLLECTIONS, collectionPath } from '../../shared/kube/index.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { BundlePublisher } from './index.ts'

const CONFIG_MAPS = collectionPath(COLLECTIONS.configMaps)
const SYSTEM = 'countersign-system'
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function started() {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  return server
}

async function publishing(server: FakeApiServer, first = 'one') {
  const clock = new FakeClock()
  const client = await clientOf(server, clock)
  closers.push(() => client.close())
  const { log, lines } = recordingLogger()
  let bundle = first
  const options = { client, namespace: SYSTEM, bundle: () => bundle, clock, random: () => 0.5, log }
  const publisher = new BundlePublisher(options)
  closers.push(() => publisher.close())
  const published = (text: string): Promise<void> =>
    eventually(async () => {
      await clock.advance(100)
      return shown(server) === text
    }, `the bundle ${text}`)
  const replace = (text: string): void => {
    bundle = text
    publisher.update()
  }
  return { publisher, clock, lines, published, replace }
}

function shown(server: FakeApiServer): unknown {
  const data = server.find(CONFIG_MAPS, 'countersign-bundle', SYSTEM)?.['data']
  return (data as Record<string, unknown> | undefined)?.['bundle.pem']
}

const writes = (server: FakeApiServer): number => server.requests.filter(({ method }) => method === 'PATCH').length
const configMap = (data: object) => ({ metadata: { name: 'countersign-bundle', namespace: SYSTEM }, data })

describe('the published trust bundle', () => {
  it('is written where there is none, with labels by which it is found', async () => {
    const server = await started()
    const { publisher } = await publishing(server)
    await publisher.published
    assert.equal(shown(server), 'one')
    const { metadata } = server.find(CONFIG_MAPS, 'countersign-bundle', SYSTEM) ?? {}
    assert.deepEqual(metadata?.['labels'], {
      'app.kubernetes.io/part-of': 'countersign',
      'app.kubernetes.io/managed-by': 'countersign'
    })
  })

  it('is not written where it is right', async () => {
    const server = await started()
    server.put(CONFIG_MAPS, configMap({ 'bundle.pem': 'one' }))
    const { publisher } = await publishing(server)
    await publisher.published
    assert.equal(writes(server), 0)
  })

  it('is written once when two authorities start and agree', async () => {
    const server = await started()
    const [one, other] = [await publishing(server), await publishing(server)]
    await Promise.all([one.publisher.published, other.publisher.published])
    await one.clock.advance(60_000)
    await other.clock.advance(60_000)
    assert.ok(writes(server) <= 2)
    assert.equal(shown(server), 'one')
  })

  it('is repaired when somebody changes or deletes it, and other entries are left alone', async () => {
    const server = await started()
    const { publisher, published } = await publishing(server)
    await publisher.published
    server.put(CONFIG_MAPS, configMap({ 'bundle.pem': 'another', note: 'mine' }))
    await published('one')
    const after = server.find(CONFIG_MAPS, 'countersign-bundle', SYSTEM)?.['data']
    assert.deepEqual(after, { 'bundle.pem': 'one', note: 'mine' })
    server.remove(CONFIG_MAPS, 'countersign-bundle', SYSTEM)
    await published('one')
  })

  it('follows the bundle', async () => {
    const server = await started()
    const { publisher, published, replace } = await publishing(server)
    await publisher.published
    replace('two')
    await published('two')
  })

  it('is tried again while the API server refuses, and nobody is told that it is there', async () => {
    const server = await started()
    let refusals = 0
    server.intercept = (request, response) => {
      if (request.method !== 'PATCH' || refusals === 5) return false
      refusals++
      status(response, 403, 'Forbidden')
      return true
    }
    const { publisher, published, lines } = await publishing(server)
    let told = false
    void publisher.published.then(() => {
      told = true
    })
    await eventually(() => refusals === 1, 'the first refusal')
    assert.equal(told, false)
    await published('one')
    await publisher.published
    assert.equal(lines.filter(({ level }) => level === 'warn').length, 1)
  })

  it('is not fought for more than once a second', async () => {
    const server = await started()
    const { publisher, clock } = await publishing(server)
    await publisher.published
    const before = writes(server)
    for (let time = 0; time < 20; time++) {
      server.put(CONFIG_MAPS, configMap({ 'bundle.pem': `another ${time}` }))
      await clock.advance(100)
    }
    assert.ok(writes(server) - before <= 3, `${writes(server) - before} times`)
  })

  it('leaves nothing behind at its end', async () => {
    const server = await started()
    const { publisher, clock } = await publishing(server)
    await publisher.published
    await publisher.close()
    assert.equal(clock.pending, 0)
    server.remove(CONFIG_MAPS, 'countersign-bundle', SYSTEM)
    assert.equal(shown(server), undefined)
  })
})
