import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { afterEach, describe, it } from 'node:test'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { CountersignError } from '../errors/index.ts'
import { FakeApiServer, status } from './api-server.test-support.ts'
import { COLLECTIONS, collectionPath, KubeClient, objectPath, retryKubernetes, statusOf, statusPath } from './index.ts'
import { clientOf, hastyClock, recordingLogger } from './kube.test-support.ts'

const SECRETS = collectionPath(COLLECTIONS.secrets, 'system')
const secret = (value: string) => ({ metadata: { name: 'a', namespace: 'system' }, value })
const PATH = objectPath(COLLECTIONS.secrets, 'a', 'system')
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function connected() {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  const client = await clientOf(server)
  closers.push(() => client.close())
  return { server, client }
}

describe('paths', () => {
  it('are those of the API, with names that cannot leave their place', () => {
    assert.equal(collectionPath(COLLECTIONS.pods), '/api/v1/pods')
    assert.equal(
      objectPath(COLLECTIONS.endpointSlices, 'a', 'b'),
      '/apis/discovery.k8s.io/v1/namespaces/b/endpointslices/a'
    )
    assert.equal(objectPath(COLLECTIONS.namespaces, '../x'), '/api/v1/namespaces/..%2Fx')
  })
})

describe('the client', () => {
  it('creates, reads, replaces and refuses what is not as it was', async () => {
    const { client } = await connected()
    const made = await client.create(SECRETS, secret('1'), 'test')
    assert.equal((await client.get(PATH))['value'], '1')
    await assert.rejects(client.create(SECRETS, secret('2'), 'test'), error => statusOf(error) === 409)
    await client.replace(PATH, { ...secret('3'), metadata: made.metadata }, 'test')
    await assert.rejects(
      client.replace(PATH, { ...secret('4'), metadata: made.metadata }, 'test'),
      error => statusOf(error) === 409
    )
    assert.equal((await client.get(PATH))['value'], '3')
  })

  it('sends its token and its name, and says which kind of patch it means', async () => {
    const { server, client } = await connected()
    const headers: (string | undefined)[][] = []
    server.intercept = request => {
      const { authorization, 'user-agent': agent, 'content-type': type } = request.headers
      headers.push([authorization, agent, type])
      return false
    }
    await client.apply(PATH, secret('1'), 'me')
    await client.patch(PATH, { value: '2' }, 'me')
    assert.deepEqual(headers, [
      ['Bearer a-token', 'test', 'application/apply-patch+yaml'],
      ['Bearer a-token', 'test', 'application/strategic-merge-patch+json']
    ])
    assert.deepEqual(
      server.requests.map(({ query }) => query.toString()),
      ['fieldManager=me&force=true', 'fieldManager=me']
    )
  })

  it('changes the status of an object alone, and only while the object is as it was', async () => {
    const { server, client } = await connected()
    const made = await client.create(SECRETS, { ...secret('1'), status: { kept: 1, list: [{ name: 'x' }] } }, 'test')
    const { resourceVersion } = made.metadata
    const path = statusPath(COLLECTIONS.secrets, 'a', 'system')
    const body = { metadata: { resourceVersion }, value: '2', status: { list: [{ name: 'y' }] } }
    const written = await client.mergePatch(path, body, 'test')
    assert.deepEqual([written['value'], written['status']], ['1', { kept: 1, list: [{ name: 'y' }] }])
    await assert.rejects(client.mergePatch(path, body, 'test'), error => statusOf(error) === 409)
    assert.equal(server.requests.at(-1)?.path, '/api/v1/namespaces/system/secrets/a/status')
  })

  it('gives up a request whose signal is aborted', async () => {
    const { server, client } = await connected()
    server.intercept = () => true
    const end = new AbortController()
    const asked = assert.rejects(client.replace(PATH, secret('1'), 'test', end.signal), {
      code: 'ERR_KUBERNETES_UNAVAILABLE'
    })
    await eventually(() => server.requests.length === 1, 'the request')
    end.abort()
    await asked
  })

  it('uses one connection for many requests', async () => {
    const { server, client } = await connected()
    await client.create(SECRETS, secret('1'), 'test')
    for (let time = 0; time < 50; time++) await client.get(PATH)
    assert.equal(server.connections, 1)
  })

  it('asks again when the server closed the kept connection in that moment', async () => {
    const { server, client } = await connected()
    await client.create(SECRETS, secret('1'), 'test')
    let resets = 0
    server.intercept = request => {
      if (resets++ > 0) return false
      request.socket.resetAndDestroy()
      return true
    }
    assert.equal((await client.get(PATH))['value'], '1')
  })

  const refusals: readonly { code: number; is: string }[] = [
    { code: 400, is: 'ERR_KUBERNETES_REFUSED' },
    { code: 401, is: 'ERR_KUBERNETES_REFUSED' },
    { code: 403, is: 'ERR_KUBERNETES_REFUSED' },
    { code: 422, is: 'ERR_KUBERNETES_REFUSED' },
    { code: 429, is: 'ERR_KUBERNETES_UNAVAILABLE' },
    { code: 500, is: 'ERR_KUBERNETES_UNAVAILABLE' },
    { code: 503, is: 'ERR_KUBERNETES_UNAVAILABLE' }
  ]
  for (const { code, is } of refusals)
    it(`reports status ${code} as ${is}, with its reason`, async () => {
      const { server, client } = await connected()
      server.intercept = (_request, response) => {
        status(response, code, 'Reason', { 'retry-after': '7' })
        return true
      }
      await assert.rejects(client.get(PATH), error => {
        assert.ok(error instanceof CountersignError)
        assert.deepEqual([error.code, statusOf(error)], [is, code])
        assert.deepEqual([error.facts['reason'], error.facts['retryAfterSeconds']], ['Reason', 7])
        assert.match(error.message, /^GET \/api\/v1\/namespaces\/system\/secrets\/a: status \d+: because Reason$/)
        return true
      })
    })

  const nonsense: readonly { title: string; body: string }[] = [
    { title: 'no JSON', body: '<html>' },
    { title: 'nothing', body: '' },
    { title: 'a list', body: '[]' },
    { title: 'an object without a name', body: '{"metadata":{}}' }
  ]
  for (const { title, body } of nonsense)
    it(`does not take ${title} for an object`, async () => {
      const { server, client } = await connected()
      server.intercept = (_request, response) => {
        response.end(body)
        return true
      }
      await assert.rejects(client.get(PATH), { code: 'ERR_KUBERNETES_UNAVAILABLE' })
    })

  it('waits 30 s for an answer and no longer', async () => {
    const server = await FakeApiServer.start()
    closers.push(() => server.close())
    const clock = new FakeClock()
    const client = await clientOf(server, clock)
    closers.push(() => client.close())
    server.intercept = () => true
    const asked = assert.rejects(client.get(PATH), /no answer within 30000 ms/)
    await eventually(() => server.requests.length === 1, 'the question')
    await clock.advance(30_000)
    await asked
    assert.equal(clock.pending, 0)
  })

  it('says which option is wrong when it does not know where the API server is', async () => {
    const options = { userAgent: 'test', clock: hastyClock }
    await assert.rejects(KubeClient.open({ ...options, kubeconfig: undefined }), {
      code: 'ERR_OPTION_INVALID',
      message: /--kubeconfig/
    })
    await assert.rejects(KubeClient.open({ ...options, kubeconfig: '/nowhere' }), {
      code: 'ERR_OPTION_INVALID',
      message: /--kubeconfig \/nowhere/
    })
    const { server } = await connected()
    const path = server.kubeconfig
    writeFileSync(path, 'clusters: []')
    await assert.rejects(KubeClient.open({ ...options, kubeconfig: path }), { code: 'ERR_OPTION_INVALID' })
  })
})

describe('what is tried until the API server does it', () => {
  it('succeeds at last, and each reason is told once', async () => {
    const { log, lines } = recordingLogger()
    const reasons = ['a', 'a', 'b', undefined]
    const attempt = async (): Promise<string> => {
      const reason = reasons.shift()
      if (reason !== undefined) throw new CountersignError('ERR_KUBERNETES_REFUSED', reason)
      return 'done'
    }
    assert.equal(await retryKubernetes('it', attempt, { clock: hastyClock, random: Math.random, log }), 'done')
    assert.equal(lines.length, 2)
  })

  it('waits as long as the server asks for, and longer each time otherwise', async () => {
    const clock = new FakeClock()
    const { log } = recordingLogger()
    const times: number[] = []
    const start = clock.now()
    const attempt = async (): Promise<void> => {
      times.push(clock.now() - start)
      if (times.length === 5) return
      const facts = times.length === 1 ? { retryAfterSeconds: 7 } : {}
      throw new CountersignError('ERR_KUBERNETES_UNAVAILABLE', 'later', { facts })
    }
    const done = retryKubernetes('it', attempt, { clock, random: () => 1, log })
    await clock.advance(60_000)
    await done
    assert.deepEqual(times, [0, 7_000, 7_400, 8_200, 9_800])
  })

  it('ends with any other error, and with its signal', async () => {
    const { log } = recordingLogger()
    const options = { clock: new FakeClock(), random: Math.random, log }
    await assert.rejects(
      retryKubernetes('it', () => Promise.reject(new TypeError('bug')), options),
      TypeError
    )
    const end = new AbortController()
    const failing = (): Promise<void> => Promise.reject(new CountersignError('ERR_KUBERNETES_UNAVAILABLE', 'later'))
    const tried = assert.rejects(retryKubernetes('it', failing, { ...options, signal: end.signal }), /enough/)
    end.abort(new Error('enough'))
    await tried
  })
})
