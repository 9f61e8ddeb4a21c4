import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { FakeApiServer, status } from '../../shared/kube/api-server.test-support.ts'
import { COLLECTIONS, collectionPath } from '../../shared/kube/index.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import {
  BlockedAddresses,
  ConfigMapKeyStore,
  FileKeyStore,
  KeySetKeeper,
  type KeySetState,
  type KeyStore,
  type ProviderEndpoints,
  type RememberedKeySet,
  rememberedKeySets
} from './index.ts'
import { writeKeySets } from './kept-key-sets.ts'
import { usableKeys } from './usable-keys.ts'

const PAIR = generateKeyPairSync('ed25519')
const setOf = (kid: string): string =>
  usableKeys(JSON.stringify({ keys: [{ ...PAIR.publicKey.export({ format: 'jwk' }), kid }] }), 'test').jwks ?? ''
const state = (name: string, jwks: string | undefined): KeySetState => ({
  name,
  jwks,
  condition: { status: 'ready', message: '' }
})
const BLOCKED = new BlockedAddresses()
const SYSTEM = 'countersign-system'
const CONFIG_MAPS = collectionPath(COLLECTIONS.configMaps)

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'countersign-keys-'))
  closers.push(() => rmSync(path, { recursive: true }))
  return path
}

function kept(store: KeyStore) {
  const clock = new FakeClock()
  const { log, lines } = recordingLogger()
  let current: ReadonlyMap<string, KeySetState> = new Map()
  let listener = (): void => {}
  const ring = {
    current: () => current,
    subscribe: (callback: () => void) => {
      listener = callback
      return () => {
        listener = () => {}
      }
    }
  }
  const keeper = new KeySetKeeper({ ring, store, clock, random: () => 0.5, log })
  closers.push(() => keeper.close())
  const change = (...states: readonly KeySetState[]): void => {
    current = new Map(states.map(one => [one.name, one]))
    listener()
  }
  return { keeper, clock, log, lines, change }
}

async function configMap() {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  const client = await clientOf(server)
  closers.push(() => client.close())
  return { server, store: new ConfigMapKeyStore(client, SYSTEM) }
}

describe('key sets in a store', () => {
  const STORES: Readonly<Record<string, () => Promise<KeyStore>>> = {
    'a file': async () => new FileKeyStore(join(folder(), 'key-sets.json')),
    'a ConfigMap': async () => (await configMap()).store
  }
  for (const [title, open] of Object.entries(STORES))
    it(`are found again in ${title}, those that a policy holds left out`, async () => {
      const store = await open()
      const { clock, log, change } = kept(store)
      assert.deepEqual(await rememberedKeySets(store, BLOCKED, log), new Map())
      change(state('uri/1', setOf('a')), state('issuer/2', undefined), state('inline/3', setOf('c')))
      const found = async (...entries: [string, RememberedKeySet][]): Promise<void> => {
        await eventually(async () => {
          await clock.advance(1_000)
          return isDeepStrictEqual([...(await rememberedKeySets(store, BLOCKED, log))], entries)
        }, JSON.stringify(entries))
      }
      await found(['uri/1', { jwks: setOf('a') }])
      change(state('uri/1', setOf('b')), state('issuer/2', setOf('a')))
      await found(['issuer/2', { jwks: setOf('a') }], ['uri/1', { jwks: setOf('b') }])
      change()
      await found()
    })

  const AT: ProviderEndpoints = { authorization: 'https://a.example/in', token: 'https://a.example/token' }
  const OUT = { ...AT, endSession: 'https://a.example/out' }

  it('are found again with the endpoints that were discovered with them', async () => {
    const store = new FileKeyStore(join(folder(), 'key-sets.json'))
    const { clock, log, change } = kept(store)
    change(
      { ...state('issuer/1', setOf('a')), discovered: { endpoints: AT } },
      { ...state('issuer/2', setOf('b')), discovered: { endpoints: OUT } },
      { ...state('issuer/3', setOf('c')), discovered: { problem: 'there are none' } }
    )
    await clock.advance(1_000)
    assert.deepEqual(
      [...(await rememberedKeySets(store, BLOCKED, log))],
      [
        ['issuer/1', { jwks: setOf('a'), endpoints: AT }],
        ['issuer/2', { jwks: setOf('b'), endpoints: OUT }],
        ['issuer/3', { jwks: setOf('c') }]
      ]
    )
  })

  it('with endpoints are key sets as before for whoever knows nothing of them', () => {
    const text = writeKeySets([{ ...state('issuer/1', setOf('a')), discovered: { endpoints: OUT } }])
    assert.equal(usableKeys(JSON.stringify(JSON.parse(text)['issuer/1']), 'test').jwks, setOf('a'))
  })

  const WRONG_ENDPOINTS: Readonly<Record<string, unknown>> = {
    'as text': 'https://a.example',
    'as nothing': null,
    'without one of two': { authorization: AT.authorization },
    'at no URL': { ...AT, authorization: 'a.example' },
    'of another scheme': { ...AT, authorization: 'javascript:alert(1)' },
    'with credentials': { ...AT, token: 'https://a:b@a.example/' },
    'at a blocked address': { ...AT, token: 'http://169.254.169.254/token' },
    'of endless length': { ...AT, authorization: `https://a.example/${'x'.repeat(3_000)}` }
  }
  for (const [what, endpoints] of Object.entries(WRONG_ENDPOINTS))
    it(`are found without endpoints where the store has some ${what}`, async () => {
      const path = join(folder(), 'key-sets.json')
      writeFileSync(path, JSON.stringify({ 'issuer/1': { ...JSON.parse(setOf('a')), endpoints } }))
      const found = await rememberedKeySets(new FileKeyStore(path), BLOCKED, recordingLogger().log)
      assert.deepEqual([...found], [['issuer/1', { jwks: setOf('a') }]])
    })

  it('are written only when they changed, once a second at most', async () => {
    const saved: string[] = []
    const store = { location: 'test', load: async () => undefined, save: async (text: string) => void saved.push(text) }
    const { clock, change } = kept(store)
    for (let time = 0; time < 100; time++) {
      change(state('uri/1', setOf(String(time))))
      await clock.advance(10)
    }
    await clock.advance(60_000)
    assert.ok(saved.length <= 3, `${saved.length} times`)
    assert.equal(saved.at(-1), `{"uri/1":${setOf('99')}}`)
    const times = saved.length
    change(state('uri/1', setOf('99')))
    await clock.advance(60_000)
    assert.equal(saved.length, times)
  })

  it('are written in the end when the API server refuses at first', async () => {
    const { server, store } = await configMap()
    let refusals = 0
    server.intercept = (request, response) => {
      if (request.method !== 'PATCH' || refusals === 3) return false
      refusals++
      status(response, 403, 'Forbidden')
      return true
    }
    const { clock, change, lines } = kept(store)
    change(state('uri/1', setOf('a')))
    await eventually(async () => {
      await clock.advance(1_000)
      return server.find(CONFIG_MAPS, 'countersign-key-sets', SYSTEM) !== undefined
    }, 'the ConfigMap')
    assert.equal(lines.filter(({ level }) => level === 'warn').length, 1)
  })

  it('that cannot be written are said, and written with the next change', async () => {
    const path = join(folder(), 'missing', 'key-sets.json')
    const { clock, change, lines } = kept(new FileKeyStore(path))
    change(state('uri/1', setOf('a')))
    await clock.advance(1_000)
    assert.equal(lines.filter(({ level }) => level === 'error').length, 1)
    mkdirSync(join(path, '..'))
    change(state('uri/1', setOf('b')))
    await clock.advance(1_000)
    assert.equal(readFileSync(path, 'utf8'), `{"uri/1":${setOf('b')}}`)
  })

  it('are no more than a ConfigMap holds', () => {
    const large = JSON.stringify({ keys: 'x'.repeat(400_000) })
    const text = writeKeySets(['c', 'b', 'a'].map(name => state(name, large)))
    assert.deepEqual(Object.keys(JSON.parse(text)), ['a', 'b'])
    assert.ok(text.length < 1_000_000)
  })

  for (const text of [
    '',
    '{',
    '[]',
    '{"uri/1":1}',
    '{"uri/1":{}}',
    '{"uri/1":{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}}'
  ])
    it(`are left out where the store holds ${JSON.stringify(text)}`, async () => {
      const path = join(folder(), 'key-sets.json')
      writeFileSync(path, text)
      assert.deepEqual(await rememberedKeySets(new FileKeyStore(path), BLOCKED, recordingLogger().log), new Map())
    })

  it('are never private keys, whatever somebody put there', async () => {
    const path = join(folder(), 'key-sets.json')
    const keys = [PAIR.privateKey.export({ format: 'jwk' }), PAIR.publicKey.export({ format: 'jwk' })]
    writeFileSync(path, JSON.stringify({ 'uri/1': { keys } }))
    const { log, lines } = recordingLogger()
    const [{ jwks: text = '' } = {}] = (await rememberedKeySets(new FileKeyStore(path), BLOCKED, log)).values()
    assert.equal(JSON.parse(text).keys.length, 1)
    assert.ok(!text.includes('"d"') && lines.length === 0)
  })

  it('are waited for while the API server does not answer', async () => {
    const { server, store } = await configMap()
    server.intercept = (_request, response) => {
      status(response, 500, 'InternalError')
      return true
    }
    await assert.rejects(rememberedKeySets(store, BLOCKED, recordingLogger().log), {
      code: 'ERR_KUBERNETES_UNAVAILABLE'
    })
  })
})
