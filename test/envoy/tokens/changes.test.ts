// Policies and keys that change while connections are open: what is new holds for the next request, and no connection
// ends because of it. The keys are those of a real identity provider.

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { type RunningIdentityProvider, startIdentityProvider } from '../../oidc/index.ts'
import type { Conversation } from '../calls.ts'
import { type Checks, type Request, startTokenPod, type TokenPod, written } from './token-pod.ts'

const AUDIENCE = 'https://orders.shop.test'

describe('while connections are open', () => {
  let pod: TokenPod
  let provider: RunningIdentityProvider
  const conversations: Conversation[] = []
  before(async () => {
    provider = await startIdentityProvider()
    pod = await startTokenPod('127.83.64')
  })
  afterEach(() => {
    for (const conversation of conversations.splice(0)) conversation.close()
  })
  after(async () => {
    await pod?.stop()
    await provider?.stop()
  })

  const checks = (changes: { audience?: string; excludePaths?: string[] } = {}): Checks => ({
    providers: [
      { name: 'provider', issuer: provider.issuer, audiences: [changes.audience ?? AUDIENCE], keySet: 'provider' }
    ],
    rules: [{ excludePaths: changes.excludePaths ?? [], providers: ['provider'], required: true }]
  })
  const apply = async (changed: Checks = checks()): Promise<void> =>
    pod.apply(changed, { provider: await provider.jwks() })

  const kept = async (): Promise<Conversation> => {
    const conversation = await pod.open()
    conversations.push(conversation)
    return conversation
  }
  /** The status of one more request on a connection. */
  const statusOn = (conversation: Conversation) => {
    let asked = 0
    return async (request: Request): Promise<number> => {
      asked++
      conversation.write(written({ ...request, method: 'HEAD' }))
      const all = await conversation.whole(text => text.split('\r\n\r\n').length > asked)
      return Number(/^HTTP\/1\.1 (\d+)/.exec(all.split('\r\n\r\n')[asked - 1] ?? '')?.[1])
    }
  }
  const webSocket = async (token?: string): Promise<Conversation> => {
    const conversation = await kept()
    conversation.write(
      written({
        ...(token === undefined ? {} : { token }),
        headers: [
          ['connection', 'upgrade'],
          ['upgrade', 'websocket'],
          ['sec-websocket-version', '13'],
          ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ==']
        ]
      })
    )
    await conversation.received('101 Switching Protocols')
    return conversation
  }

  it('policies and keys come, change and go, and none of them ends', async () => {
    await pod.apply(undefined)
    const before_ = await webSocket()
    const ask = statusOn(await kept())
    let words = 0
    const talk = async (conversation: Conversation): Promise<void> => {
      const word = `word ${++words};`
      conversation.write(word)
      await conversation.received(word)
    }
    assert.equal(await ask({}), 200)

    await apply()
    const token = await provider.token({ audience: AUDIENCE })
    assert.equal(await ask({}), 401)
    assert.equal(await ask({ token }), 200)
    const during = await webSocket(token)
    await talk(before_)

    await apply(checks({ excludePaths: ['/open'] }))
    assert.equal(await ask({ target: '/open' }), 200)
    assert.equal(await ask({}), 401)
    await apply(checks({ audience: 'https://somebody.else.test' }))
    assert.equal(await ask({ token }), 401)

    await provider.rotate()
    await apply()
    const next = await provider.token({ audience: AUDIENCE })
    assert.equal(await ask({ token }), 200)
    assert.equal(await ask({ token: next }), 200)
    await talk(during)

    await provider.withdraw()
    await apply()
    assert.equal(await ask({ token }), 401)
    assert.equal(await ask({ token: next }), 200)

    await pod.apply(checks(), {})
    assert.equal(await ask({ token: next }), 401)
    await pod.apply(undefined)
    assert.equal(await ask({}), 200)

    // Longer than the time to drain, which is a second here: whatever was to end has ended.
    const second = Date.now() + 1_500
    while (Date.now() < second) {
      assert.equal(await ask({}), 200)
      await talk(before_)
      await talk(during)
    }
    // That of the port that declares nothing, when the first policy comes and when the last one goes.
    assert.equal(await pod.pod.envoy.stat('listener_manager.listener_in_place_updated'), 2)
    assert.equal(await pod.pod.envoy.stat('listener_manager.listener_modified'), 2, 'no listener is replaced')
  })

  it('a key that was replaced is good for nothing at the next request', async () => {
    await apply()
    const ask = statusOn(await kept())
    for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
      const former = await provider.token({ audience: AUDIENCE, algorithm })
      assert.equal(await ask({ token: former }), 200)
      await provider.rotate()
      await provider.withdraw()
      const next = await provider.token({ audience: AUDIENCE, algorithm })
      assert.equal(await ask({ token: next }), 401)
      await apply()
      assert.equal(await ask({ token: next }), 200)
      assert.equal(await ask({ token: former }), 401)
    }
  })
})
