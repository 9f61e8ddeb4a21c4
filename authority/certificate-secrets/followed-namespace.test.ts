import assert from 'node:assert/strict'
import { afterEach, before, describe, it } from 'node:test'
import { SpiffeId } from '../../shared/identity/index.ts'
import { FakeApiServer } from '../../shared/kube/api-server.test-support.ts'
import type { KubeObject } from '../../shared/kube/index.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import type { Issuer } from '../../shared/x509/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { FollowedNamespace } from './followed-namespace.ts'
import { ACCOUNTS, SECRETS } from './leader.test-support.ts'
import { issueContent } from './new-secret.ts'
import { account, DAY, limits, NOW, rootUntil, stored, trustDomain, trusting } from './secrets.test-support.ts'

const closers: (() => unknown)[] = []
let root: Issuer

before(async () => {
  root = await rootUntil(NOW + 100 * DAY)
})

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function following() {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  const metadata = { name: 'orders', namespace: 'shop', uid: 'uid-of-orders' }
  server.put(ACCOUNTS, { metadata })
  server.put(ACCOUNTS, { metadata: { ...metadata, namespace: 'bank' } })
  const clock = new FakeClock(NOW)
  const client = await clientOf(server, clock)
  closers.push(() => client.close())
  let changes = 0
  const tools = { client, clock, random: () => 0.5, log: recordingLogger().log }
  const followed = new FollowedNamespace('shop', tools, () => changes++)
  closers.push(() => followed.close())
  const until = (condition: () => boolean, what: string): Promise<void> =>
    eventually(async () => {
      await clock.advance(0)
      return condition()
    }, what)
  await until(() => followed.isSynced && server.watches === 2, 'both collections')
  const secretOf = () => followed.secretOf(account()).secret
  return { server, clock, followed, until, secretOf, changes: () => changes }
}

/** A Secret as the API server has it. */
async function written(resourceVersion: string): Promise<KubeObject> {
  const wanted = {
    spiffeId: SpiffeId.workload(trustDomain, 'shop', 'orders'),
    key: 'ecdsa-p256',
    dnsNames: [],
    lifetimeMs: DAY
  } as const
  const secret = stored(account(), await issueContent(wanted, trusting(root), limits, NOW))
  return { ...secret, metadata: { ...secret.metadata, resourceVersion } }
}

describe('a namespace that is followed', () => {
  it('has its own accounts, and of its Secrets those of our type', async () => {
    const { server, followed, until, secretOf } = await following()
    assert.deepEqual(
      [...followed.accounts()].map(({ namespace, name }) => `${namespace}/${name}`),
      ['shop/orders']
    )
    server.put(SECRETS, { ...(await written('1')), type: 'Opaque' })
    server.put(SECRETS, { ...(await written('1')), metadata: { name: 'countersign.orders', namespace: 'bank' } })
    server.put(ACCOUNTS, { metadata: { name: 'stock', namespace: 'shop', uid: 'x' } })
    await until(() => followed.account('stock') !== undefined, 'the account')
    assert.equal(secretOf(), undefined)
    const paths = server.requests.map(({ path, query }) => `${path} ${query.get('fieldSelector')}`)
    assert.deepEqual([...new Set(paths)].sort(), [
      '/api/v1/namespaces/shop/secrets type=countersign.dev/key-and-cert',
      '/api/v1/namespaces/shop/serviceaccounts null'
    ])
  })

  it('keeps nothing of a key', async () => {
    const { server, until, secretOf } = await following()
    const secret = server.put(SECRETS, await written('1'))
    await until(() => secretOf() !== undefined, 'the Secret')
    const { 'key.pem': key = '' } = secret['data'] as Record<string, string>
    assert.ok(key.length > 200)
    assert.ok(!JSON.stringify(secretOf()).includes(key.slice(40, 80)))
  })
})

describe('what was written', () => {
  it('is believed at once, and the same when the watch tells of it', async () => {
    const { server, followed, until, secretOf, changes } = await following()
    const object = await written('1')
    followed.wrote(undefined, object)
    const believed = secretOf()
    assert.equal(believed?.resourceVersion, '1')
    const before = changes()
    const { metadata } = server.put(SECRETS, object)
    await until(() => changes() > before, 'the word of it')
    assert.equal(secretOf()?.resourceVersion, metadata.resourceVersion)
  })

  it('is not looked at twice', async () => {
    const { server, followed, until, secretOf, changes } = await following()
    const object = await written('102')
    const stored = server.put('/api/v1/other', object)
    followed.wrote(undefined, stored as KubeObject)
    const believed = secretOf()
    const before = changes()
    server.sendRaw(`${JSON.stringify({ type: 'ADDED', object: stored })}\n`)
    await until(() => changes() > before, 'the word of it')
    assert.ok(believed !== undefined && secretOf() === believed)
  })

  it('gives way to what the watch tells, also when that is its end', async () => {
    const { server, followed, until, secretOf } = await following()
    server.put(SECRETS, await written('1'))
    await until(() => secretOf() !== undefined, 'the Secret')
    followed.wrote(secretOf(), await written('later'))
    assert.equal(secretOf()?.resourceVersion, 'later')
    followed.wrote(secretOf(), await written('last'))
    assert.equal(secretOf()?.resourceVersion, 'last', 'written twice before a word')
    server.remove(SECRETS, 'countersign.orders', 'shop')
    await until(() => secretOf() === undefined, 'its end')
  })

  it('is not believed where the watch was faster', async () => {
    const { server, followed, until, secretOf } = await following()
    server.put(SECRETS, await written('1'))
    await until(() => secretOf() !== undefined, 'the Secret')
    const told = secretOf()
    followed.wrote(undefined, await written('older'))
    assert.equal(secretOf(), told)
  })

  it('and never told of is not believed for long: it may be gone', async () => {
    const { clock, followed, secretOf } = await following()
    followed.wrote(undefined, await written('1'))
    const { until } = followed.secretOf(account())
    assert.equal(until, NOW + 10_000)
    await clock.advance(9_999)
    assert.ok(secretOf() !== undefined)
    await clock.advance(1)
    assert.equal(secretOf(), undefined)
  })
})
