import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { afterEach, describe, it } from 'node:test'
import { systemClock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import type { FetchDocument } from './fetch-document.ts'
import { BlockedAddresses, KeyRing, type KeyRingOptions, type KeySource, keySetName } from './index.ts'
import { certificateFor, serve } from './provider.test-support.ts'

const key = (kid: string) => ({ ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid })
const [A, B] = [key('a'), key('b')]
const PRIVATE = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
const jwks = (...keys: unknown[]): string => JSON.stringify({ keys })
const idsIn = (text: string | undefined): unknown =>
  text === undefined ? undefined : JSON.parse(text).keys.map(({ kid }: { kid: string }) => kid)

const WEB: KeySource = { issuer: 'https://idp.example', jwksUri: 'https://idp.example/keys' }
const OTHER: KeySource = { issuer: 'https://other.example', jwksUri: 'https://other.example/keys' }
const INLINE: KeySource = { issuer: 'https://inline.example', jwks: jwks(A) }
const NAME = keySetName(WEB)
const MINUTE = 60_000

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A ring whose providers answer what a test says: a text, an error, or never. */
function ringed(options: Partial<KeyRingOptions> = {}) {
  const clock = new FakeClock()
  const { log, lines } = recordingLogger()
  const asked: string[] = []
  const answers = new Map<string, string | Error | 'never'>()
  let cacheControl: string | undefined
  let underWay = 0
  let mostUnderWay = 0
  const fetch: FetchDocument = async (url, signal) => {
    asked.push(url.href)
    mostUnderWay = Math.max(mostUnderWay, ++underWay)
    try {
      await new Promise(setImmediate)
      const answer =
        answers.get(url.href) ?? answers.get('*') ?? new CountersignError('ERR_KEYS_UNAVAILABLE', 'silence')
      if (answer instanceof Error) throw answer
      if (answer !== 'never') return { url, text: answer, cache: { cacheControl } }
      return await new Promise((_, reject) => {
        if (signal.aborted) reject(signal.reason)
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    } finally {
      underWay--
    }
  }
  const outcomes: string[] = []
  let measured: unknown
  const ring = new KeyRing({
    clock,
    random: () => 0.5,
    log,
    blockedAddresses: new BlockedAddresses(),
    fetch,
    observer: {
      onFetch: outcome => outcomes.push(outcome),
      onKeySets: (counts, oldestAt) => {
        measured = { ...counts, oldestAt }
      }
    },
    ...options
  })
  closers.push(() => ring.close())
  let changes = 0
  ring.subscribe(() => changes++)
  return {
    ring,
    clock,
    lines,
    asked,
    outcomes,
    answer: (answer: string | Error | 'never', url = '*') => answers.set(url, answer),
    cache: (header: string | undefined) => {
      cacheControl = header
    },
    keys: (name = NAME) => idsIn(ring.current().get(name)?.jwks),
    condition: (name = NAME) => ring.current().get(name)?.condition,
    changes: () => changes,
    measured: () => measured,
    mostUnderWay: () => mostUnderWay
  }
}

const down = (message = 'https://idp.example/keys: it refuses connections', seconds?: number): Error =>
  new CountersignError('ERR_KEYS_UNAVAILABLE', message, { facts: { retryAfterSeconds: seconds } })

describe('the name of a key set', () => {
  it('is that of its place, whatever else the source says', () => {
    assert.equal(keySetName({ ...WEB, issuer: 'https://else.example', timeoutMs: 1 }), NAME)
    assert.match(NAME, /^uri\/[0-9a-f]{32}$/)
    assert.match(keySetName(INLINE), /^inline\/[0-9a-f]{32}$/)
    assert.match(keySetName({ issuer: 'https://idp.example' }), /^issuer\/[0-9a-f]{32}$/)
  })

  it('differs where the place does', () => {
    const sources = [
      WEB,
      OTHER,
      INLINE,
      { issuer: WEB.issuer },
      { issuer: `${WEB.issuer}/` },
      { issuer: WEB.jwksUri ?? '' }
    ]
    assert.equal(new Set(sources.map(keySetName)).size, sources.length)
  })
})

describe('a key ring', () => {
  it('fetches what is wanted at once, and says first that it is waited for', async () => {
    const { ring, clock, answer, keys, condition, changes, asked } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    assert.deepEqual(condition(), { status: 'waiting', message: 'keys are being fetched for the first time' })
    assert.equal(keys(), undefined)
    await clock.advance(0)
    assert.deepEqual(keys(), ['a'])
    assert.deepEqual(condition(), { status: 'ready', message: 'keys are there' })
    assert.deepEqual([changes(), asked.length], [2, 1])
  })

  it('fetches once for all sources of one place', async () => {
    const { ring, clock, answer, asked } = ringed()
    answer(jwks(A))
    ring.follow([WEB, { ...WEB, issuer: 'https://second.example' }, { ...WEB, timeoutMs: 100 }])
    await clock.advance(0)
    assert.deepEqual([asked.length, ring.current().size], [1, 1])
  })

  it('asks nobody for keys that are in the policy', async () => {
    const { ring, clock, asked } = ringed()
    ring.follow([INLINE])
    await clock.advance(MINUTE)
    const state = ring.current().get(keySetName(INLINE))
    assert.deepEqual([idsIn(state?.jwks), state?.condition.status, asked.length], [['a'], 'ready', 0])
    ring.unknownKey(keySetName(INLINE))
    assert.equal(asked.length, 0)
  })

  for (const text of ['{', jwks(), jwks(PRIVATE), jwks({ kty: 'oct', k: 'c2VjcmV0' })])
    it(`accepts no token with ${text.slice(0, 30)} in the policy`, () => {
      const { ring } = ringed()
      ring.follow([{ issuer: 'https://a.example', jwks: text }])
      const [state] = ring.current().values()
      assert.deepEqual([state?.jwks, state?.condition.status], [undefined, 'failing'])
      assert.match(state?.condition.message ?? '', /^there are no keys and no token is valid: /)
    })

  it('says nothing new while nothing changed', async () => {
    const { ring, clock, answer, changes, asked } = ringed()
    answer(jwks(A, B))
    ring.follow([WEB, INLINE])
    await clock.advance(0)
    const before = ring.current()
    const times = changes()
    answer(jwks(B, { ...A, use: 'sig', x5t: 'new' }))
    await clock.advance(30 * MINUTE)
    ring.follow([{ ...INLINE }, { ...WEB }])
    assert.ok(asked.length > 1)
    assert.equal(ring.current(), before)
    assert.equal(changes(), times)
  })

  it('tells nobody who no longer listens', async () => {
    const { ring, clock, answer } = ringed()
    let told = 0
    ring.subscribe(() => told++)()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    assert.equal(told, 0)
  })
})

describe('refreshing', () => {
  const SCHEDULE: readonly (readonly [string | undefined, number])[] = [
    [undefined, 16 * MINUTE],
    ['max-age=600', 8 * MINUTE],
    ['max-age=1', 48_000],
    ['max-age=31536000', 48 * MINUTE]
  ]
  for (const [header, dueMs] of SCHEDULE)
    it(`is done after ${dueMs / 1_000} s when ${header ?? 'nothing'} is said, and not before`, async () => {
      const { ring, clock, answer, asked, cache } = ringed()
      cache(header)
      answer(jwks(A))
      ring.follow([WEB])
      await clock.advance(dueMs - 1)
      assert.equal(asked.length, 1)
      await clock.advance(1)
      assert.equal(asked.length, 2)
      await clock.advance(dueMs)
      assert.equal(asked.length, 3)
    })

  it('takes up new keys and drops those that are gone', async () => {
    const { ring, clock, answer, keys, outcomes } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    answer(jwks(A, B))
    await clock.advance(16 * MINUTE)
    assert.deepEqual(keys(), ['a', 'b'])
    answer(jwks(B))
    await clock.advance(16 * MINUTE)
    assert.deepEqual(keys(), ['b'])
    assert.deepEqual(outcomes, ['changed', 'changed', 'changed'])
  })

  it('is no change of the keys while the provider is down, and says since when and why', async () => {
    const { ring, clock, answer, keys, condition, asked, lines } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    answer(down())
    await clock.advance(16 * MINUTE)
    const message =
      'the keys fetched last go on serving; since 2026-01-01T00:16:00Z they cannot be fetched: https://idp.example/keys: it refuses connections'
    assert.deepEqual(condition(), { status: 'failing', message })
    const before = ring.current()
    const times = asked.length
    await clock.advance(30 * 24 * 60 * MINUTE)
    assert.deepEqual(keys(), ['a'])
    assert.equal(ring.current(), before)
    // Every 225 s, which is the middle of the draw.
    assert.ok(asked.length - times < 30 * 24 * 20, `${asked.length - times} times`)
    assert.equal(lines.filter(({ level }) => level === 'warn').length, 1)
    answer(jwks(B))
    await clock.advance(5 * MINUTE)
    assert.deepEqual([keys(), condition()?.status], [['b'], 'ready'])
  })

  it('is tried again soon while there are no keys, and accepts no token until then', async () => {
    const { ring, clock, answer, keys, condition, asked } = ringed()
    answer(down())
    ring.follow([WEB])
    await clock.advance(0)
    assert.equal(condition()?.status, 'failing')
    assert.match(
      condition()?.message ?? '',
      /^there are no keys and no token is valid; since 2026-01-01T00:00:00Z they/
    )
    await clock.advance(1_000)
    assert.equal(asked.length, 2)
    await clock.advance(60 * MINUTE)
    assert.ok(asked.length > 60 && asked.length < 100, `${asked.length} times`)
    answer(jwks(A))
    await clock.advance(MINUTE)
    assert.deepEqual([keys(), condition()?.status], [['a'], 'ready'])
  })

  it('waits as long as the provider asks for', async () => {
    const { ring, clock, answer, asked } = ringed()
    answer(down('busy', 40))
    ring.follow([WEB])
    await clock.advance(39_999)
    assert.equal(asked.length, 1)
    await clock.advance(1)
    assert.equal(asked.length, 2)
  })

  it('gives up on an answer that does not come in time', async () => {
    const { ring, clock, answer, condition, asked } = ringed()
    answer('never')
    ring.follow([{ ...WEB, timeoutMs: 2_000 }])
    await clock.advance(1_999)
    assert.equal(condition()?.status, 'waiting')
    await clock.advance(1)
    assert.match(condition()?.message ?? '', /no whole answer within 2000 ms$/)
    await clock.advance(1_000)
    assert.equal(asked.length, 2)
  })

  for (const [title, text, outcome] of [
    ['no JSON', '<html>', 'invalid'],
    ['no key set', '{"error":"hidden"}', 'invalid'],
    ['no usable key', jwks({ kty: 'oct', k: 'aGlkZGVu' }), 'empty'],
    ['no key at all', jwks(), 'empty']
  ] as const)
    it(`keeps the keys when a provider answers ${title} once`, async () => {
      const { ring, clock, answer, keys, condition, outcomes } = ringed()
      answer(jwks(A))
      ring.follow([WEB])
      await clock.advance(0)
      answer(text)
      await clock.advance(16 * MINUTE)
      assert.deepEqual([keys(), condition()?.status, outcomes.at(-1)], [['a'], 'failing', outcome])
      assert.doesNotMatch(JSON.stringify(condition()), /hidden|html/)
      answer(jwks(B))
      await clock.advance(1_000)
      assert.deepEqual([keys(), condition()?.status], [['b'], 'ready'])
    })

  it('believes that the last key is withdrawn once the provider has said so for half a minute', async () => {
    const { ring, clock, answer, keys, condition } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    answer(jwks())
    await clock.advance(16 * MINUTE)
    await clock.advance(20_000)
    assert.deepEqual(keys(), ['a'])
    await clock.advance(40_000)
    assert.equal(keys(), undefined)
    assert.match(
      condition()?.message ?? '',
      /^there are no keys and no token is valid; since .* no key in it can verify/
    )
    answer(jwks(B))
    await clock.advance(MINUTE)
    assert.deepEqual(keys(), ['b'])
  })

  it('counts half a minute from the first empty answer after keys', async () => {
    const { ring, clock, answer, keys } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    for (let time = 0; time < 5; time++) {
      answer(jwks())
      await clock.advance(16 * MINUTE)
      answer(jwks(A))
      await clock.advance(5_000)
    }
    assert.deepEqual(keys(), ['a'])
  })

  it('never believes an answer that is no key set, however often it comes', async () => {
    const { ring, clock, answer, keys } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    answer('{}')
    await clock.advance(24 * 60 * MINUTE)
    assert.deepEqual(keys(), ['a'])
  })

  it('says once that a provider publishes a private key, and never which', async () => {
    const { ring, clock, answer, keys, lines } = ringed()
    answer(jwks(A, PRIVATE))
    ring.follow([WEB])
    await clock.advance(60 * MINUTE)
    assert.deepEqual(keys(), ['a'])
    assert.equal(lines.filter(({ msg }) => String(msg).includes('publishes a private key')).length, 1)
    assert.ok(!JSON.stringify(lines).includes(String(PRIVATE.d)))
  })
})

describe('an unknown key', () => {
  it('is looked for at once', async () => {
    const { ring, clock, answer, keys } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    answer(jwks(A, B))
    ring.unknownKey(NAME)
    await clock.advance(0)
    assert.deepEqual(keys(), ['a', 'b'])
  })

  it('makes no flood: a thousand at once are one fetch, a thousand in a row five, then one in ten seconds', async () => {
    const { ring, clock, answer, asked, mostUnderWay } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    for (let time = 0; time < 1_000; time++) ring.unknownKey(NAME)
    await clock.advance(0)
    assert.equal(asked.length, 2)
    for (let time = 0; time < 100; time++) {
      ring.unknownKey(NAME)
      await clock.advance(0)
    }
    assert.equal(asked.length, 6)
    for (let second = 0; second < 60; second++) {
      await clock.advance(1_000)
      ring.unknownKey(NAME)
    }
    await clock.advance(0)
    assert.equal(asked.length, 12)
    assert.equal(mostUnderWay(), 1)
  })

  it('of one provider costs another nothing', async () => {
    const { ring, clock, answer, asked } = ringed()
    answer(jwks(A))
    ring.follow([WEB, OTHER])
    await clock.advance(0)
    for (let time = 0; time < 20; time++) {
      ring.unknownKey(NAME)
      await clock.advance(0)
    }
    const before = asked.length
    ring.unknownKey(keySetName(OTHER))
    await clock.advance(0)
    assert.deepEqual(asked.slice(before), [OTHER.jwksUri])
  })

  it('is looked for by the fetch that is under way', async () => {
    const { ring, clock, answer, asked } = ringed()
    answer('never')
    ring.follow([WEB])
    for (let time = 0; time < 10; time++) ring.unknownKey(NAME)
    await clock.advance(1_000)
    assert.equal(asked.length, 1)
  })

  it('ends the wait after a failure', async () => {
    const { ring, clock, answer, keys } = ringed()
    answer(down())
    ring.follow([WEB])
    await clock.advance(10 * MINUTE)
    answer(jwks(A))
    ring.unknownKey(NAME)
    await clock.advance(0)
    assert.deepEqual(keys(), ['a'])
  })

  it('of a set that nobody wants is ignored', async () => {
    const { ring, clock, answer, asked } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    ring.follow([])
    ring.unknownKey(NAME)
    ring.unknownKey('uri/made-up')
    await clock.advance(0)
    assert.equal(asked.length, 1)
  })
})

describe('a source that is gone', () => {
  it('is not shown and not fetched any more', async () => {
    const { ring, clock, answer, asked } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    ring.follow([])
    assert.equal(ring.current().size, 0)
    await clock.advance(120 * MINUTE)
    assert.deepEqual([asked.length, clock.pending], [1, 0])
  })

  it('has its keys at once when it is back within a minute, and fetches no more often for it', async () => {
    const { ring, clock, answer, keys, asked } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    for (let time = 0; time < 50; time++) {
      ring.follow([])
      await clock.advance(5_000)
      ring.follow([WEB])
      assert.deepEqual(keys(), ['a'])
    }
    assert.equal(asked.length, 1)
    await clock.advance(16 * MINUTE)
    assert.equal(asked.length, 2)
  })

  it('is fetched anew later', async () => {
    const { ring, clock, answer, condition, asked } = ringed()
    answer(jwks(A))
    ring.follow([WEB])
    await clock.advance(0)
    ring.follow([])
    await clock.advance(MINUTE)
    ring.follow([WEB])
    assert.equal(condition()?.status, 'waiting')
    await clock.advance(0)
    assert.equal(asked.length, 2)
  })

  it('leaves nothing, however many there were', async () => {
    const { ring, clock, answer } = ringed()
    answer(jwks(A))
    for (let time = 0; time < 200; time++) {
      ring.follow([{ issuer: 'https://a.example', jwksUri: `https://a.example/${time}` }])
      await clock.advance(0)
    }
    ring.follow([])
    await clock.advance(MINUTE)
    assert.equal(clock.pending, 0)
  })
})

describe('many providers', () => {
  it('are asked eight at a time', async () => {
    const { ring, clock, answer, mostUnderWay } = ringed()
    answer(jwks(A))
    ring.follow(Array.from({ length: 50 }, (_, index) => ({ issuer: 'a', jwksUri: `https://a.example/${index}` })))
    await clock.advance(0)
    await eventually(async () => {
      await clock.advance(0)
      return [...ring.current().values()].every(({ condition }) => condition.status === 'ready')
    }, 'all are there')
    assert.equal(mostUnderWay(), 8)
  })

  it('that do not answer keep none from being refreshed', async () => {
    const { ring, clock, answer, keys } = ringed()
    const silent = Array.from({ length: 40 }, (_, index) => ({
      issuer: 'a',
      jwksUri: `https://silent.example/${index}`
    }))
    for (const { jwksUri } of silent) answer('never', jwksUri)
    answer(jwks(A), WEB.jwksUri)
    ring.follow([WEB, ...silent])
    await clock.advance(10 * MINUTE)
    answer(jwks(B), WEB.jwksUri)
    ring.unknownKey(NAME)
    await clock.advance(0)
    assert.deepEqual(keys(), ['b'])
  })
})

describe('keys of before a restart', () => {
  const remembered = new Map([[NAME, { jwks: jwks(A) }]])

  it('serve until the provider answers', async () => {
    const { ring, clock, answer, keys, condition } = ringed({ remembered })
    answer(down())
    ring.follow([WEB, OTHER])
    assert.deepEqual([keys(), condition()?.status], [['a'], 'ready'])
    assert.equal(condition(keySetName(OTHER))?.status, 'waiting')
    await clock.advance(60 * MINUTE)
    assert.deepEqual([keys(), condition()?.status], [['a'], 'failing'])
    answer(jwks(B))
    await clock.advance(5 * MINUTE)
    assert.deepEqual(keys(), ['b'])
  })
})

describe('endpoints for signing in', () => {
  const issuer = 'https://idp.example'
  const name = keySetName({ issuer })
  const discovery = (endpoints: object): string =>
    JSON.stringify({ issuer, jwks_uri: `${issuer}/keys`, token_endpoint: `${issuer}/token`, ...endpoints })
  const SIGN_IN = { authorization_endpoint: `${issuer}/in` }
  const ENDPOINTS = { authorization: `${issuer}/in`, token: `${issuer}/token` }
  const WELL_KNOWN = `${issuer}/.well-known/openid-configuration`

  it('are known with the keys, and change with them', async () => {
    const { ring, clock, answer, changes } = ringed()
    const discovered = () => ring.current().get(name)?.discovered
    answer(jwks(A))
    answer(discovery(SIGN_IN), WELL_KNOWN)
    ring.follow([{ issuer }, WEB])
    assert.equal(discovered(), undefined)
    await clock.advance(0)
    const first = discovered()
    assert.deepEqual(first, { endpoints: ENDPOINTS })
    assert.equal(ring.current().get(NAME)?.discovered, undefined)
    const times = changes()
    await clock.advance(60 * MINUTE)
    assert.deepEqual([discovered() === first, changes()], [true, times], 'the same object, and no word of it')
    answer(discovery({ authorization_endpoint: `${issuer}/moved` }), WELL_KNOWN)
    await clock.advance(60 * MINUTE)
    assert.deepEqual(discovered(), { endpoints: { ...ENDPOINTS, authorization: `${issuer}/moved` } })
    answer(discovery({}), WELL_KNOWN)
    await clock.advance(60 * MINUTE)
    assert.match(JSON.stringify(discovered()), /authorization_endpoint: expected an https or http URL/)
    assert.equal(ring.current().get(name)?.condition.status, 'ready', 'there are keys all the same')
  })

  it('stay while the provider is down, also over a restart', async () => {
    const remembered = new Map([[name, { jwks: jwks(A), endpoints: ENDPOINTS }]])
    const { ring, clock, answer } = ringed({ remembered })
    answer(down())
    ring.follow([{ issuer }])
    await clock.advance(60 * MINUTE)
    const { discovered, condition } = ring.current().get(name) ?? {}
    assert.deepEqual([discovered, condition?.status], [{ endpoints: ENDPOINTS }, 'failing'])
  })
})

describe('waiting until all is settled', () => {
  const settling = (ring: KeyRing) => {
    const seen = { done: false }
    void ring.settled(10_000).then(() => {
      seen.done = true
    })
    return seen
  }

  it('ends when each set has keys or failed once', async () => {
    const { ring, clock, answer } = ringed()
    answer(jwks(A), WEB.jwksUri)
    answer('never', OTHER.jwksUri)
    ring.follow([WEB, OTHER, INLINE])
    const seen = settling(ring)
    await clock.advance(4_999)
    assert.equal(seen.done, false)
    await clock.advance(1)
    assert.equal(seen.done, true)
  })

  it('ends when it takes too long', async () => {
    const { ring, clock, answer } = ringed()
    answer('never')
    ring.follow([{ ...WEB, timeoutMs: 30_000 }])
    const seen = settling(ring)
    await clock.advance(9_999)
    assert.equal(seen.done, false)
    await clock.advance(1)
    assert.equal(seen.done, true)
  })

  it('ends at once where nothing is waited for', async () => {
    const { ring, clock } = ringed({ remembered: new Map([[NAME, { jwks: jwks(A) }]]) })
    await ring.settled(10_000)
    ring.follow([WEB, INLINE])
    await ring.settled(10_000)
    await clock.advance(0)
  })

  it('ends with the ring', async () => {
    const { ring, clock, answer } = ringed()
    answer('never')
    ring.follow([WEB])
    const seen = settling(ring)
    await ring.close()
    await clock.advance(0)
    assert.deepEqual([seen.done, clock.pending], [true, 0])
    await ring.settled(10_000)
  })
})

describe('what is measured', () => {
  it('is every fetch by its outcome, and the sets by their condition', async () => {
    const { ring, clock, answer, outcomes, measured } = ringed()
    answer(jwks(A), WEB.jwksUri)
    answer(new CountersignError('ERR_KEYS_BLOCKED', 'blocked'), OTHER.jwksUri)
    ring.follow([WEB, OTHER, INLINE])
    assert.deepEqual(measured(), { ready: 1, waiting: 2, failing: 0, oldestAt: undefined })
    const start = clock.now()
    await clock.advance(0)
    assert.deepEqual(measured(), { ready: 2, waiting: 0, failing: 1, oldestAt: start })
    answer(down(), OTHER.jwksUri)
    await clock.advance(1_000)
    answer(jwks(), OTHER.jwksUri)
    await clock.advance(2_000)
    answer('', OTHER.jwksUri)
    await clock.advance(4_000)
    ring.unknownKey(NAME)
    await clock.advance(0)
    assert.deepEqual([...new Set(outcomes)].sort(), [
      'blocked',
      'changed',
      'empty',
      'invalid',
      'unavailable',
      'unchanged'
    ])
    assert.deepEqual(measured(), { ready: 2, waiting: 0, failing: 1, oldestAt: start + 7_000 })
  })
})

describe('the end of a key ring', () => {
  it('leaves no timer and no request, in whatever state its places are', async () => {
    const { ring, clock, answer, changes } = ringed()
    answer('never')
    answer(jwks(A), WEB.jwksUri)
    answer(down(), OTHER.jwksUri)
    const silent = Array.from({ length: 20 }, (_, index) => ({
      issuer: 'a',
      jwksUri: `https://silent.example/${index}`
    }))
    ring.follow([WEB, OTHER, ...silent, { issuer: 'https://left.example' }])
    await clock.advance(0)
    ring.follow([WEB, OTHER, ...silent])
    const times = changes()
    await ring.close()
    assert.equal(clock.pending, 0)
    ring.follow([INLINE])
    ring.unknownKey(NAME)
    await clock.advance(60 * MINUTE)
    assert.equal(changes(), times)
  })
})

describe('a provider', () => {
  it('is found by discovery and asked over TLS, and its rotation is taken up when a token names the new key', async () => {
    const tls = await certificateFor('localhost')
    let published = jwks(A)
    const provider = await serve((request, response) => {
      const issuer = `https://localhost:${provider.port}/realm`
      const found: Readonly<Record<string, string>> = {
        '/realm/.well-known/openid-configuration': JSON.stringify({
          issuer,
          jwks_uri: `${issuer}/keys`,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `https://127.0.0.1.nip.example:${provider.port}/token`,
          end_session_endpoint: '/realm/end'
        }),
        '/realm/keys': published
      }
      response.writeHead(found[request.url ?? ''] === undefined ? 404 : 200).end(found[request.url ?? ''])
    }, tls)
    closers.push(() => provider.close())
    const { log } = recordingLogger()
    const options = { clock: systemClock, random: Math.random, log, blockedAddresses: new BlockedAddresses() }
    const ring = new KeyRing({ ...options, ca: () => tls.ca })
    closers.push(() => ring.close())
    const source = { issuer: `https://localhost:${provider.port}/realm` }
    ring.follow([source])
    const has = (...ids: string[]) =>
      eventually(
        () => String(idsIn(ring.current().get(keySetName(source))?.jwks)) === String(ids),
        () => JSON.stringify([...ring.current().values()])
      )
    await has('a')
    assert.deepEqual(ring.current().get(keySetName(source))?.discovered, {
      endpoints: {
        authorization: `${source.issuer}/authorize`,
        token: `https://127.0.0.1.nip.example:${provider.port}/token`,
        endSession: `${source.issuer}/end`
      }
    })
    published = jwks(A, B)
    ring.unknownKey(keySetName(source))
    await has('a', 'b')
  })
})
