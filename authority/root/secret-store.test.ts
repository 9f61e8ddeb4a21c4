import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import { FakeApiServer, status } from '../../shared/kube/api-server.test-support.ts'
import { COLLECTIONS, collectionPath } from '../../shared/kube/index.ts'
import { clientOf } from '../../shared/kube/kube.test-support.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { openRoot, SecretRootStore } from './index.ts'

const SECRETS = collectionPath(COLLECTIONS.secrets)
const settings = { trustDomain: parseTrustDomain('cluster.local'), clock: new FakeClock(Date.now()) }
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function started() {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  const client = await clientOf(server)
  closers.push(() => client.close())
  return { server, store: new SecretRootStore(client, 'countersign-system') }
}

describe('a root in a Secret', () => {
  it('is made once, and found by whoever comes next', async () => {
    const { server, store } = await started()
    const made = await openRoot(store, settings)
    const secret = server.find(SECRETS, 'countersign-root', 'countersign-system')
    assert.equal(secret?.['type'], 'countersign.dev/root')
    assert.deepEqual(Object.keys(secret?.['data'] as object), ['tls.crt', 'tls.key'])
    assert.equal((await openRoot(store, settings)).certificate.serialNumber, made.certificate.serialNumber)
  })

  it('is the same for all that start together', async () => {
    const { store } = await started()
    const roots = await Promise.all(Array.from({ length: 8 }, () => openRoot(store, settings)))
    assert.equal(new Set(roots.map(({ certificate }) => certificate.serialNumber)).size, 1)
    for (const { privateKey } of roots) assert.ok(roots[0]?.privateKey.equals(privateKey))
  })

  const damages: readonly { title: string; data: Record<string, string> }[] = [
    { title: 'has no key', data: { 'tls.crt': 'x' } },
    { title: 'has no certificate', data: { 'tls.key': 'x' } },
    { title: 'has neither', data: {} },
    { title: 'has something else', data: { 'tls.crt': 'x', 'tls.key': 'y' } }
  ]
  for (const { title, data } of damages)
    it(`that ${title} is refused by its name, and left as it is`, async () => {
      const { server, store } = await started()
      const metadata = { name: 'countersign-root', namespace: 'countersign-system' }
      const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
      const before = server.put(SECRETS, { metadata, data: Object.fromEntries(encoded) })
      await assert.rejects(openRoot(store, settings), {
        code: 'ERR_ISSUER_UNUSABLE',
        message: /Secret countersign-system\/countersign-root/
      })
      assert.equal(server.find(SECRETS, 'countersign-root', 'countersign-system'), before)
    })

  for (const code of [403, 503])
    it(`that cannot be read (${code}) is not taken for one that is not there`, async () => {
      const { server, store } = await started()
      server.intercept = (_request, response) => {
        status(response, code, 'Told')
        return true
      }
      await assert.rejects(openRoot(store, settings), /status/)
      assert.equal(server.requests.length, 1)
    })
})
