// What callers may send on each port of a workload, while policies come and go.

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { MutualTlsMode } from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Conversation } from '../calls.ts'
import { type DeclaredAs, EVERY_DECLARATION, type PortPod, startPortPod, type Transport } from './port-pod.ts'
import { checksWith, KEYS, TOKEN } from './shape-checks.ts'

const { PERMISSIVE, DISABLE } = MutualTlsMode
/** No HTTP, but the application of the test answers it. */
const BYTES = '\x01\x02 no HTTP\r\n\r\n'
const BYTES_TAKEN = 'recorded'

describe('a port of a workload', () => {
  let pod: PortPod
  const conversations: Conversation[] = []
  before(async () => {
    pod = await startPortPod('127.83.92')
  })
  afterEach(() => {
    for (const conversation of conversations.splice(0)) conversation.close()
  })
  after(() => pod?.stop())

  const open = async (declared: DeclaredAs, transport?: Transport): Promise<Conversation> => {
    const conversation = await pod.open(declared, transport)
    conversations.push(conversation)
    return conversation
  }
  /** All that comes back, until an answer of the application, of the proxy, or the end. */
  const answerTo = async (declared: DeclaredAs, text: string): Promise<string> => {
    const conversation = await open(declared)
    conversation.write(text)
    return conversation.whole(all => all.includes('recorded') || all.includes('\r\n\r\n')).catch(() => '')
  }
  const get = (token?: string): string =>
    `GET / HTTP/1.1\r\nhost: orders.shop\r\n${token === undefined ? '' : `authorization: Bearer ${token}\r\n`}\r\n`
  const numbers = (...declared: DeclaredAs[]): number[] => declared.map(pod.port)

  it('passes bytes where no policy selects the workload, and HTTP is not declared', async () => {
    await pod.apply(PERMISSIVE, undefined)
    for (const declared of ['undeclared', 'tcp', 'tls'] as const)
      assert.match(await answerTo(declared, BYTES), new RegExp(BYTES_TAKEN), declared)
    assert.match(await answerTo('http', BYTES), /^HTTP\/1\.1 400 /)
  })

  it('is left as it is where TCP or TLS is declared and tokens are accepted, and is HTTP only where nothing is', async () => {
    for (const mode of [PERMISSIVE, DISABLE]) {
      await pod.apply(mode, checksWith({ required: false }), KEYS)
      for (const declared of ['tcp', 'tls'] as const)
        assert.match(await answerTo(declared, BYTES), new RegExp(BYTES_TAKEN), declared)
      for (const declared of ['undeclared', 'http'] as const) {
        assert.match(await answerTo(declared, BYTES), /^HTTP\/1\.1 400 /, declared)
        assert.match(await answerTo(declared, get()), /^HTTP\/1\.1 200 /, declared)
        assert.match(await answerTo(declared, `\r\n${get('a.b.c')}`), /^HTTP\/1\.1 401 /, declared)
      }
    }
  })

  it('is closed where TCP or TLS is declared and a token is required, to those who have one as well', async () => {
    for (const mode of [PERMISSIVE, DISABLE]) {
      await pod.apply(mode, checksWith(), KEYS)
      for (const declared of ['tcp', 'tls'] as const)
        for (const text of [BYTES, get(), get(TOKEN)]) assert.equal(await answerTo(declared, text), '', declared)
      for (const declared of ['undeclared', 'http'] as const) {
        assert.match(await answerTo(declared, BYTES), /^HTTP\/1\.1 400 /, declared)
        assert.match(await answerTo(declared, get()), /^HTTP\/1\.1 401 /, declared)
        assert.match(await answerTo(declared, get(TOKEN)), /^HTTP\/1\.1 200 /, declared)
      }
    }
  })

  for (const exempt of ['undeclared', 'tcp', 'tls'] as const)
    it(`that is ${exempt} passes bytes where it is exempt, and no other does`, async () => {
      await pod.apply(PERMISSIVE, checksWith({ exemptPorts: numbers(exempt) }), KEYS)
      for (const declared of EVERY_DECLARATION) {
        const answer = await answerTo(declared, BYTES)
        assert.equal(answer.includes(BYTES_TAKEN), declared === exempt, declared)
      }
    })

  for (const exempt of ['http', 'undeclared'] as const)
    it(`that is ${exempt} asks for no token where it is exempt, and no other port passes for it by a header`, async () => {
      await pod.apply(PERMISSIVE, checksWith({ exemptPorts: numbers(exempt) }), KEYS)
      for (const declared of ['http', 'undeclared'] as const)
        for (const header of ['', 'x-countersign-port', 'x_countersign_port', 'X-COUNTERSIGN-PORT']) {
          const forged = header === '' ? '' : `${header}: ${pod.port(exempt)}\r\n`
          const text = get().replace('\r\n\r\n', `\r\n${forged}\r\n`)
          const expected = declared === exempt ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 401 /
          assert.match(await answerTo(declared, text), expected, `${declared} with ${header}`)
        }
    })

  it('is not exempt from the rules of another policy', async () => {
    const [one, other] = [checksWith({ exemptPorts: numbers('undeclared', 'tcp') }), checksWith()]
    await pod.apply(PERMISSIVE, { ...one, rules: [...(one.rules ?? []), ...(other.rules ?? [])] }, KEYS)
    for (const declared of EVERY_DECLARATION)
      assert.doesNotMatch(await answerTo(declared, BYTES), new RegExp(BYTES_TAKEN), declared)
  })

  it('ends the connections whose bytes were not checked when a policy comes, and keeps those of HTTP', async () => {
    await pod.apply(PERMISSIVE, undefined)
    const unchecked = await Promise.all((['undeclared', 'tcp', 'tls'] as const).map(declared => open(declared)))
    for (const conversation of unchecked) {
      conversation.write(BYTES)
      await conversation.received(BYTES_TAKEN)
    }
    const checked = await Promise.all((['undeclared', 'http'] as const).map(declared => open(declared)))
    for (const conversation of checked) {
      conversation.write(get())
      await conversation.received(BYTES_TAKEN)
    }

    await pod.apply(PERMISSIVE, checksWith(), KEYS)
    for (const conversation of unchecked) await conversation.ended()
    for (const conversation of checked) {
      conversation.write(get())
      await conversation.received('401 Unauthorized')
      conversation.write(get(TOKEN))
      await conversation.whole(all => all.split('200 OK').length === 3)
    }

    // And it opens again when the policy goes.
    await pod.apply(PERMISSIVE, undefined)
    for (const declared of ['undeclared', 'tcp', 'tls'] as const)
      assert.match(await answerTo(declared, BYTES), new RegExp(BYTES_TAKEN), declared)
    for (const conversation of checked) {
      conversation.write(get())
      await conversation.whole(all => all.split('200 OK').length === 4)
    }
  })
})
