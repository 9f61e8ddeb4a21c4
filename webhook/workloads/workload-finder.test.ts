import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { FakeApiServer } from '../../shared/kube/api-server.test-support.ts'
import { clientOf } from '../../shared/kube/kube.test-support.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { type WorkloadFinder, workloadFinder } from './index.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start(): Promise<{ server: FakeApiServer; clock: FakeClock; find: WorkloadFinder }> {
  const server = await FakeApiServer.start()
  const clock = new FakeClock()
  const client = await clientOf(server)
  closers.push(
    () => server.close(),
    () => client.close()
  )
  return { server, clock, find: workloadFinder({ client, clock }) }
}

const pod = (name: string) => ({ metadata: { name, namespace: 'shop' }, spec: { containers: [{ name: 'a' }] } })

describe('the pods and Services of a namespace', () => {
  it('are listed in one request each, the pods by their labels', async () => {
    const { server, find } = await start()
    server.put('/api/v1/pods', pod('a'))
    server.put('/api/v1/pods', { ...pod('b'), metadata: { name: 'b', namespace: 'other' } })
    server.put('/api/v1/services', {
      metadata: { name: 'a', namespace: 'shop' },
      spec: { selector: { app: 'a' }, ports: [{ port: 80 }] }
    })
    const { pods, services, isPartial } = await find('shop', { app: 'a', tier: 'x' })
    assert.deepEqual([pods.map(({ name }) => name), services.map(({ name }) => name), isPartial], [['a'], ['a'], false])
    assert.deepEqual(
      server.requests.map(({ path, query }) => [path, query.get('limit'), query.get('labelSelector')]),
      [
        ['/api/v1/namespaces/shop/pods', '500', 'app=a,tier=x'],
        ['/api/v1/namespaces/shop/services', '500', null]
      ]
    )
  })

  it('are not listed beyond the first 500', async () => {
    const { server, find } = await start()
    for (let index = 0; index < 510; index++) server.put('/api/v1/pods', pod(`a${index}`))
    const { pods, isPartial } = await find('shop', {})
    assert.deepEqual([pods.length, isPartial], [500, true])
    assert.equal(server.requests.length, 2)
  })

  it('leave out what cannot be understood', async () => {
    const { server, find } = await start()
    server.put('/api/v1/pods', { metadata: { name: 'a', namespace: 'shop' }, spec: { containers: 5 } })
    server.put('/api/v1/pods', pod('b'))
    assert.deepEqual(
      (await find('shop', {})).pods.map(({ name }) => name),
      ['b']
    )
  })

  it('are not known where they may not be listed', async () => {
    const { server, find } = await start()
    server.intercept = (_request, response) => {
      response.writeHead(403, { 'content-type': 'application/json' }).end('{"message":"pods is forbidden"}')
      return true
    }
    await assert.rejects(find('shop', {}), /pods is forbidden/)
  })

  it('are not waited for longer than 2 s', async () => {
    const { server, clock, find } = await start()
    server.intercept = () => true
    const found = assert.rejects(find('shop', {}), /^Error: the Kubernetes API did not answer within 2 s$/)
    await eventually(() => server.requests.length === 2, 'both requests')
    await clock.advance(2_000)
    await found
    assert.equal(clock.pending, 0)
  })

  it('are asked for four times at once at most', async () => {
    const { server, clock, find } = await start()
    server.intercept = () => true
    const first = Array.from({ length: 4 }, () => assert.rejects(find('shop', {})))
    await assert.rejects(find('shop', {}), /^Error: too many policies are being written at the same time$/)
    await eventually(() => server.requests.length === 8, 'the requests of four')
    await clock.advance(2_000)
    await Promise.all(first)
    server.intercept = () => false
    assert.deepEqual((await find('shop', {})).pods, [])
  })
})
