import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { EMPTY_INVENTORY } from '../../shared/inventory/index.ts'
import { FakeApiServer, status } from '../../shared/kube/api-server.test-support.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { parsePeerAuthentication } from '../../shared/policy/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { DefinitionCheck, definitionProblems } from './index.ts'

const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const NAMES = [
  'peerauthentications.security.istio.io',
  'requestauthentications.security.istio.io',
  'enduserauthentications.countersign.dev'
]
const definition = (name: string, keeps: boolean) => ({
  metadata: { name },
  spec: {
    versions: [
      {
        name: 'v1',
        served: true,
        schema: {
          openAPIV3Schema: { type: 'object', ...(keeps ? { 'x-kubernetes-preserve-unknown-fields': true } : {}) }
        }
      }
    ]
  }
})
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function checking(server: FakeApiServer) {
  closers.push(() => server.close())
  const clock = new FakeClock()
  const client = await clientOf(server, clock)
  closers.push(() => client.close())
  const { log, lines } = recordingLogger()
  const seen = new Map<string, boolean>()
  let observed = 0
  const observer = {
    onDefinition: (kind: string, prunes: boolean) => {
      observed++
      seen.set(kind, prunes)
    }
  }
  const check = new DefinitionCheck({ client, clock, random: () => 0, log, observer })
  closers.push(() => check.close())
  const warnings = () => lines.filter(({ level }) => level === 'warn')
  /** Every definition was read so often, and the clock is waited for. */
  const looked = (times: number) => eventually(() => observed >= 3 * times && clock.pending > 0, `${times} looks`)
  return { check, clock, seen, warnings, looked }
}

describe('definitions of policies', () => {
  it('that keep unknown fields are no problem', async () => {
    const server = await FakeApiServer.start()
    for (const name of NAMES) server.put(PATH, definition(name, true))
    const { check, seen, warnings, looked } = await checking(server)
    await looked(1)
    assert.deepEqual([...check.current()], [])
    assert.deepEqual(Object.fromEntries(seen), {
      PeerAuthentication: false,
      RequestAuthentication: false,
      EndUserAuthentication: false
    })
    assert.deepEqual(warnings(), [])
  })

  it('that drop them are told of once, until they are replaced', async () => {
    const server = await FakeApiServer.start()
    for (const name of NAMES) server.put(PATH, definition(name, name !== NAMES[0]))
    const { check, clock, warnings, looked } = await checking(server)
    let told = 0
    check.subscribe(() => told++)
    await looked(1)
    assert.deepEqual([...check.current()], ['PeerAuthentication'])
    await clock.advance(300_000)
    await looked(2)
    assert.equal(warnings().length, 1)
    assert.deepEqual([warnings()[0]?.['definition'], warnings()[0]?.['levels']], [NAMES[0], ['v1: the object itself']])
    assert.equal(told, 1)
    server.put(PATH, definition(NAMES[0] ?? '', true))
    await clock.advance(300_000)
    await looked(3)
    await eventually(() => check.current().size === 0, 'the replacement')
    assert.equal(told, 2)
  })

  it('that are not there have no policies, and those that may not be read are told of once each', async () => {
    const server = await FakeApiServer.start()
    const { check, clock, seen, warnings, looked } = await checking(server)
    await looked(1)
    assert.deepEqual([[...check.current()], warnings().length], [[], 0])
    server.intercept = (request, response) => {
      if (!request.url?.startsWith(PATH)) return false
      status(response, 403, 'Forbidden')
      return true
    }
    seen.clear()
    const asked = () => server.requests.filter(({ path }) => path.startsWith(PATH)).length
    await clock.advance(300_000)
    await eventually(() => warnings().length === 3 && clock.pending > 0, 'every warning')
    await clock.advance(300_000)
    await eventually(() => asked() === 9, 'the third look')
    await check.close()
    assert.deepEqual(
      warnings().map(({ definition, forbidden }) => [definition, forbidden]),
      NAMES.map(name => [name, true])
    )
    assert.equal(seen.size, 0)
  })

  it('become a problem of each policy of that kind', () => {
    const policy = parsePeerAuthentication({
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'p', namespace: 'shop' }
    })
    const inventory = { ...EMPTY_INVENTORY, peerAuthentications: [policy] }
    assert.deepEqual(definitionProblems(new Set(['EndUserAuthentication']), inventory), [])
    const [problem, ...others] = definitionProblems(new Set(['PeerAuthentication']), inventory)
    assert.equal(problem?.object, 'PeerAuthentication shop/p')
    assert.match(problem?.message ?? '', /are dropped before Countersign sees them/)
    assert.deepEqual(others, [])
  })
})
