import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { systemClock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { FolderSource } from '../../shared/inventory/folder/index.ts'
import { FakeApiServer, status } from '../../shared/kube/api-server.test-support.ts'
import { COLLECTIONS, collectionPath } from '../../shared/kube/index.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { Sensitive } from '../../shared/log/index.ts'
import { type EndUserAuthentication, parseEndUserAuthentication } from '../../shared/policy/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import {
  FolderSecretStore,
  KubernetesSecretStore,
  LoginSecrets,
  type SecretPlace,
  type SecretReading,
  type SecretStore
} from './index.ts'

const SECRETS = collectionPath(COLLECTIONS.secrets)
const HIDDEN = 'hunter'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface PolicyOptions {
  readonly name?: string
  readonly namespace?: string
  readonly secret?: string
  readonly key?: string
  readonly generation?: number
}

function policy(options: PolicyOptions = {}): EndUserAuthentication {
  const { name = 'web', namespace = 'shop', secret = 'web-login', key, generation = 1 } = options
  const clientSecret = { name: secret, ...(key === undefined ? {} : { key }) }
  return parseEndUserAuthentication({
    apiVersion: 'countersign.dev/v1',
    kind: 'EndUserAuthentication',
    metadata: { name, namespace, generation },
    spec: { issuer: 'https://accounts.example', login: { clientId: 'web', clientSecret } }
  })
}

const withoutLogin = parseEndUserAuthentication({
  apiVersion: 'countersign.dev/v1',
  kind: 'EndUserAuthentication',
  metadata: { name: 'api', namespace: 'shop' },
  spec: { issuer: 'https://accounts.example' }
})

function following(store: SecretStore, clock: FakeClock) {
  const { log, lines } = recordingLogger()
  const secrets = new LoginSecrets({ store, clock, random: () => 0.5, log })
  closers.push(() => secrets.close())
  let changes = 0
  secrets.subscribe(() => changes++)
  const state = (name = 'shop/web') => secrets.current().get(name)
  const shown = (): string => JSON.stringify([lines, [...secrets.current()]]) + inspect(secrets.current(), { depth: 9 })
  closers.push(() => assert.doesNotMatch(shown(), new RegExp(HIDDEN), 'a secret was shown'))
  return {
    secrets,
    lines,
    state,
    changes: () => changes,
    client: (name?: string) => state(name)?.secret?.reveal().clientSecret.toString(),
    condition: (name?: string) => state(name)?.condition
  }
}

/** Secrets that a test says what is read of. */
function told() {
  const clock = new FakeClock()
  const asked: SecretPlace[] = []
  const answers = { next: (_place: SecretPlace): SecretReading | Error => value('hunter1') }
  const store: SecretStore = {
    async read(place) {
      asked.push(place)
      const answer = answers.next(place)
      if (answer instanceof Error) throw answer
      return answer
    }
  }
  return {
    ...following(store, clock),
    clock,
    asked,
    answer: (answer: SecretReading | Error) => {
      answers.next = () => answer
    }
  }
}

const value = (text: string): SecretReading => ({ value: new Sensitive(Buffer.from(text)) })

describe('the secret of a login', () => {
  it('is read as soon as a policy names it, by its name and nothing else', async () => {
    const { secrets, clock, asked, client, condition, state } = told()
    secrets.follow([policy(), withoutLogin])
    assert.deepEqual(condition(), { status: 'waiting', message: 'Secret shop/web-login is being read' })
    await clock.advance(0)
    assert.deepEqual(asked, [{ namespace: 'shop', name: 'web-login', key: 'client-secret' }])
    assert.deepEqual([client(), condition()?.status, secrets.current().size], ['hunter1', 'ready', 1])
    assert.equal(state()?.secret?.reveal().hmacKey.length, 32)
  })

  it('is looked at again every half a minute, and told of only when it is another', async () => {
    const { secrets, clock, asked, answer, client, state, changes } = told()
    secrets.follow([policy()])
    await clock.advance(0)
    const [first, times] = [state(), changes()]
    await clock.advance(10 * 60_000)
    assert.equal(asked.length, 21)
    assert.deepEqual([state() === first, changes()], [true, times])
    answer(value('hunter2'))
    await clock.advance(30_000)
    assert.deepEqual([client(), changes()], ['hunter2', times + 1])
  })

  it('is looked at at once when its policy changes, and not when another does', async () => {
    const { secrets, clock, asked } = told()
    const [web, app] = [policy(), policy({ name: 'app', secret: 'app-login' })]
    secrets.follow([web, app])
    await clock.advance(0)
    secrets.follow([web, app])
    await clock.advance(0)
    assert.equal(asked.length, 2)
    secrets.follow([web, policy({ name: 'app', secret: 'app-login', generation: 2 })])
    await clock.advance(0)
    assert.deepEqual(
      asked.map(({ name }) => name),
      ['app-login', 'web-login', 'app-login']
    )
  })

  it('is read once for all policies that name it, and makes another key of each', async () => {
    const { secrets, clock, asked, state } = told()
    secrets.follow([policy(), policy({ name: 'app' })])
    await clock.advance(0)
    assert.equal(asked.length, 1)
    const keys = ['shop/app', 'shop/web'].map(name => state(name)?.secret?.reveal().hmacKey.toString('hex'))
    assert.equal(new Set(keys).size, 2)
  })

  it('is read by its own key', async () => {
    const { secrets, clock, asked } = told()
    secrets.follow([policy({ key: 'a' }), policy({ name: 'app', key: 'b' })])
    await clock.advance(0)
    assert.deepEqual(asked.map(({ key }) => key).sort(), ['a', 'b'])
  })

  it('is forgotten with its policy, and with a login that was taken out', async () => {
    const { secrets, clock, asked, state } = told()
    secrets.follow([policy()])
    await clock.advance(0)
    secrets.follow([withoutLogin])
    assert.equal(state(), undefined)
    await clock.advance(60_000)
    assert.deepEqual([asked.length, clock.pending], [1, 0])
  })

  it('stays while nobody can tell whether it is still there', async () => {
    const { secrets, clock, answer, client, condition, asked } = told()
    secrets.follow([policy()])
    await clock.advance(0)
    answer(new CountersignError('ERR_KUBERNETES_UNAVAILABLE', 'GET /x: status 500: no'))
    await clock.advance(10 * 60_000)
    assert.deepEqual([client(), condition()?.status], ['hunter1', 'ready'])
    assert.ok(asked.length < 10 * 60, 'nobody is asked in a flood')
    answer({ problem: 'there is no Secret shop/web-login' })
    await clock.advance(30_000)
    assert.deepEqual([client(), condition()?.status], [undefined, 'missing'])
  })

  it('stays at a first refusal that may pass, and is gone with the second', async () => {
    const { secrets, clock, answer, client, condition } = told()
    secrets.follow([policy()])
    await clock.advance(0)
    answer({ problem: 'it may not be read', mayPass: true })
    await clock.advance(30_000)
    assert.equal(client(), 'hunter1')
    await clock.advance(5_000)
    assert.deepEqual([client(), condition()], [undefined, { status: 'missing', message: 'it may not be read' }])
  })

  it('stays at refusals between which it could be read', async () => {
    const { secrets, clock, answer, client } = told()
    secrets.follow([policy()])
    await clock.advance(0)
    for (let times = 0; times < 3; times++) {
      answer({ problem: 'it may not be read', mayPass: true })
      await clock.advance(30_000)
      answer(value('hunter1'))
      await clock.advance(30_000)
    }
    assert.equal(client(), 'hunter1')
  })

  it('is missing, with the reason, when it could not be read from the start', async () => {
    const { secrets, clock, answer, condition, changes } = told()
    answer(new CountersignError('ERR_KUBERNETES_UNAVAILABLE', 'GET /x: status 500: no'))
    secrets.follow([policy()])
    await clock.advance(0)
    assert.deepEqual(condition(), {
      status: 'missing',
      message: 'Secret shop/web-login cannot be read: GET /x: status 500: no'
    })
    const times = changes()
    await clock.advance(60_000)
    assert.equal(changes(), times)
  })

  for (const [what, text] of Object.entries({
    empty: '',
    'too long': HIDDEN.repeat(1_000),
    'more than a line': `${HIDDEN}\n`
  }))
    it(`is missing when it is ${what}`, async () => {
      const { secrets, clock, answer, client, condition } = told()
      answer(value(text))
      secrets.follow([policy()])
      await clock.advance(0)
      assert.deepEqual([client(), condition()?.status], [undefined, 'missing'])
      assert.match(condition()?.message ?? '', /^entry "client-secret" of Secret shop\/web-login (is|ends) /)
    })

  it('is settled once it was looked at, and after a while in any case', async () => {
    const { secrets, clock } = told()
    await secrets.settled(1_000)
    secrets.follow([policy()])
    await secrets.settled(1_000)
    assert.equal(clock.pending, 1, 'only the next look is waited for')
    const never: SecretStore = { read: () => new Promise(() => {}) }
    const other = new FakeClock()
    const silent = new LoginSecrets({ ...recordingLogger(), store: never, clock: other, random: () => 0.5 })
    silent.follow([policy()])
    let done = false
    void silent.settled(1_000).then(() => {
      done = true
    })
    await other.advance(999)
    assert.equal(done, false)
    await other.advance(1)
    assert.equal(done, true)
  })

  it('is forgotten at the end, and nothing is asked any more', async () => {
    const { secrets, clock, asked } = told()
    secrets.follow([policy()])
    await clock.advance(0)
    await secrets.close()
    secrets.follow([policy({ name: 'app' })])
    await clock.advance(60_000)
    assert.deepEqual([asked.length, clock.pending, secrets.current().size], [1, 0, 0])
  })
})

describe('in a cluster', () => {
  async function cluster() {
    const server = await FakeApiServer.start()
    closers.push(() => server.close())
    const client = await clientOf(server)
    closers.push(() => client.close())
    const clock = new FakeClock()
    const put = (fields: object, name = 'web-login') =>
      server.put(SECRETS, { metadata: { name, namespace: 'shop' }, type: 'Opaque', ...fields })
    const data = (text: string) => ({ data: { 'client-secret': Buffer.from(text).toString('base64') } })
    return { ...following(new KubernetesSecretStore(client), clock), server, clock, put, data }
  }

  it('a Secret is got by its name: never listed, never watched', async () => {
    const { server, secrets, clock, put, data, client } = await cluster()
    put(data('hunter1'))
    put(data('hunter3'), 'other')
    secrets.follow([policy()])
    await eventually(() => client() === 'hunter1', 'the secret')
    put(data('hunter2'))
    await clock.advance(30_000)
    await eventually(() => client() === 'hunter2', 'the next secret')
    const asked = server.requests.map(({ method, path }) => `${method} ${path}`)
    assert.deepEqual([...new Set(asked)], ['GET /api/v1/namespaces/shop/secrets/web-login'])
  })

  it('a Secret that is deleted ends the login', async () => {
    const { server, secrets, clock, put, data, client, condition } = await cluster()
    put(data('hunter1'))
    secrets.follow([policy()])
    await eventually(() => client() === 'hunter1', 'the secret')
    server.remove(SECRETS, 'web-login', 'shop')
    await clock.advance(30_000)
    await eventually(() => condition()?.status === 'missing', 'the end of the secret')
    assert.equal(condition()?.message, 'there is no Secret shop/web-login')
  })

  const missing: Readonly<Record<string, readonly [object | undefined, string]>> = {
    'that is not there': [undefined, 'there is no Secret shop/web-login'],
    'without entries': [{}, 'Secret shop/web-login has no entry "client-secret"'],
    'with other entries': [
      { data: { other: 'aHVudGVy' }, stringData: { 'client-secret': 'hunter' } },
      'Secret shop/web-login has no entry "client-secret"'
    ],
    'with an entry that is no text': [
      { data: { 'client-secret': { hunter: 1 } } },
      'Secret shop/web-login has no entry "client-secret"'
    ],
    'of another type': [
      { type: 'kubernetes.io/tls', data: { 'client-secret': 'aHVudGVy' } },
      'Secret shop/web-login is of type "kubernetes.io/tls": expected one of type Opaque'
    ],
    'that is the root of the mesh': [
      { type: 'countersign.dev/root', data: { 'client-secret': 'aHVudGVy' } },
      'Secret shop/web-login is of type "countersign.dev/root": expected one of type Opaque'
    ],
    'that is empty': [{ data: { 'client-secret': '' } }, 'entry "client-secret" of Secret shop/web-login is empty']
  }
  for (const [what, [fields, message]] of Object.entries(missing))
    it(`a Secret ${what} is missing`, async () => {
      const { secrets, put, condition } = await cluster()
      if (fields !== undefined) put(fields)
      secrets.follow([policy()])
      await eventually(() => condition()?.status === 'missing', 'the reason')
      assert.equal(condition()?.message, message)
    })

  it('a key that every object of JavaScript has is no entry', async () => {
    const { secrets, put, data, condition } = await cluster()
    put(data('hunter1'))
    secrets.follow([policy({ key: 'constructor' })])
    await eventually(() => condition()?.status === 'missing', 'the reason')
    assert.equal(condition()?.message, 'Secret shop/web-login has no entry "constructor"')
  })

  it('a namespace that the chart was not told of is named with the value that tells it', async () => {
    const { server, secrets, put, data, condition, client, clock } = await cluster()
    put(data('hunter1'))
    server.intercept = (_request, response) => {
      status(response, 403, 'Forbidden')
      return true
    }
    secrets.follow([policy()])
    await eventually(() => condition()?.status === 'missing', 'the reason')
    assert.equal(
      condition()?.message,
      'the authority may not read Secret shop/web-login: add "shop" to the value login.namespaces of the chart'
    )
    server.intercept = () => false
    await clock.advance(30_000)
    await eventually(() => client() === 'hunter1', 'the secret, once it may be read')
  })

  it('an answer that is no object is no secret, and is not quoted', async () => {
    const { server, secrets, condition } = await cluster()
    server.intercept = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"data": "${HIDDEN}`)
      return true
    }
    secrets.follow([policy()])
    await eventually(() => condition()?.status === 'missing', 'the reason')
    assert.match(condition()?.message ?? '', /^Secret shop\/web-login cannot be read: .*expected an object$/)
  })
})

describe('in a folder', () => {
  it('a manifest is taken up at once, and its entries as the API server would have them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-login-'))
    closers.push(() => rmSync(folder, { recursive: true }))
    const write = (fields: string): void =>
      writeFileSync(
        join(folder, 'login.yaml'),
        `apiVersion: v1\nkind: Secret\nmetadata: { name: web-login, namespace: shop }\n${fields}`
      )
    const { log, lines } = recordingLogger()
    const source = await FolderSource.open({ path: folder, clock: systemClock, log, watch: false })
    closers.push(() => source.close())
    const clock = new FakeClock()
    const { secrets, client, condition } = following(new FolderSecretStore(source), clock)
    secrets.follow([policy()])
    await eventually(() => condition()?.message === 'there is no Secret shop/web-login', 'that it is not there')
    const says = async (fields: string, expected: () => boolean): Promise<void> => {
      write(fields)
      await source.rescan()
      await eventually(expected, fields)
    }
    await says('data: {}', () => condition()?.message === 'Secret shop/web-login has no entry "client-secret"')
    await says('stringData: { client-secret: hunter1 }', () => client() === 'hunter1')
    await says(`data: { client-secret: ${Buffer.from('hunter2').toString('base64')} }`, () => client() === 'hunter2')
    await says(
      'stringData: { client-secret: hunter3 }\ntype: kubernetes.io/basic-auth',
      () => condition()?.message === 'there is no Secret shop/web-login'
    )
    assert.equal(clock.pending, 0, 'nothing is looked at again and again')
    assert.doesNotMatch(JSON.stringify(lines), /hunter/)
  })
})
