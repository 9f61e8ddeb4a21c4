// Calls to the address of a pod that is not ready, or is shutting down: from what Kubernetes says of it to a real proxy
// that calls it and a real proxy, strict, that answers for it. Needs root.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import type { MeshState } from '../../agent/proxy/index.ts'
import { meshState } from '../../authority/naming/index.ts'
import { inventoryOf, pod, service, settings, slice } from '../../authority/naming/mesh.test-support.ts'
import { DELIVERY_SOURCE } from '../../shared/bootstrap/index.ts'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import type { Issuer } from '../../shared/x509/index.ts'
import { type CapturedPod, startCapturedPod } from './direct-pod.ts'
import type { Answer } from './peer.ts'
import { eventually, INSIDE, link, Namespace, OUTSIDE, run, USER } from './pod.ts'
import { Program } from './program.ts'

/** Two pods of shop/orders, behind one proxy. */
const PLACE = { steady: '10.99.0.11', changing: OUTSIDE.ipv4 } as const
const VIRTUAL = '10.99.0.77'
const PORT = 8080

/** A pod, and what an EndpointSlice says of it. */
interface Condition {
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
}
const READY: Condition = { ready: true, serving: true, terminating: false }
const UNREADY: Readonly<Record<string, Condition>> = {
  'is not ready': { ready: false, serving: false, terminating: false },
  'is shutting down': { ready: false, serving: true, terminating: true },
  'is shutting down and not ready': { ready: false, serving: false, terminating: true },
  'is shutting down and published as ready': { ready: true, serving: true, terminating: true }
}
const NOT_READY = UNREADY['is not ready'] as Condition

type Conditions = Readonly<Partial<Record<keyof typeof PLACE, Condition>>>

/** What the authority makes of it. */
function meshOf(root: Issuer, conditions: Conditions): MeshState {
  const pods = Object.entries(conditions).map(([name, { serving, terminating }]) =>
    pod({ name, address: PLACE[name as keyof Conditions], ready: serving, deleted: terminating })
  )
  const places = Object.entries(conditions).map(([name, conditions]) => ({
    addresses: [PLACE[name as keyof Conditions]],
    conditions,
    targetRef: { kind: 'Pod', name, uid: `uid-${name}` }
  }))
  const inventory = inventoryOf([service({ selector: {}, clusterIP: VIRTUAL }), slice(places), ...pods])
  const { services, endpoints } = meshState(inventory, { ...settings, trustDomain: parseTrustDomain('mesh.test') })
  return newState({ roots: [root], services: [...services.values()], endpoints: Object.fromEntries(endpoints) })
}

describe('a pod that is called by its own address', () => {
  let root: Issuer
  let program: Program
  let client: Namespace
  let server: Namespace
  let clientProxy: CapturedPod
  let serverProxy: CapturedPod
  before(async () => {
    program = new Program()
    await program.start()
    client = new Namespace()
    server = new Namespace()
    link(client.name, server.name, true)
    run('ip', '-n', server.name, 'address', 'add', `${PLACE.steady}/24`, 'dev', 'pod')
    root = await newRoot()
    const newPod = async (account: string, addresses: string[]) => ({
      workload: newWorkload({ uid: randomUUID(), name: account, addresses }),
      svid: await newSvid(root, spiffeId('shop', account)),
      interception: { kind: 'redirect' } as const,
      probes: []
    })
    const both = meshOf(root, { steady: READY, changing: READY })
    serverProxy = await startCapturedPod(server, program, both, await newPod('orders', Object.values(PLACE)))
    clientProxy = await startCapturedPod(client, program, both, await newPod('storefront', [INSIDE.ipv4]))
    await server.serve('::', PORT)
  })
  after(async () => {
    await client.close()
    await server.close()
    await clientProxy.close()
    await serverProxy.close()
    await program.close()
  })

  const url = `http://${PLACE.changing}:${PORT}/`
  const callPod = (user: number = USER.application): Promise<Answer> => client.call(user, url)
  const callService = (): Promise<Answer> => client.call(USER.application, `http://${VIRTUAL}/`)
  /** Requests over mutual TLS, which is all that this cluster can do. */
  const proven = (): Promise<number> =>
    clientProxy.stat('cluster.direct/mesh.test/ns/shop/sa/orders/http.upstream_rq_total')
  /** The client hears of it; its proxy may choose among as many as are ready. */
  const become = async (conditions: Conditions): Promise<void> => {
    await clientProxy.update(meshOf(root, conditions))
    const ready = Object.values(conditions).filter(({ ready, terminating }) => ready && !terminating).length
    await eventually(
      async () => (await clientProxy.stat('cluster.outbound/shop/orders/80.membership_total')) === ready,
      `${ready} endpoints may be chosen`
    )
  }
  const provenCall = async (): Promise<void> => {
    const before = await proven()
    const answer = await callPod()
    assert.deepEqual([answer.by, answer.error], ['app', undefined])
    assert.equal(answer.destination, `${PLACE.changing}:${PORT}`)
    assert.equal(answer.from, DELIVERY_SOURCE.ipv4, 'delivered by the proxy of the server')
    assert.ok((await proven()) > before)
  }

  it('answers nobody in plaintext: it is strict', async () => {
    assert.equal((await callPod(USER.proxy)).by, undefined)
  })

  for (const [title, condition] of Object.entries(UNREADY))
    it(`is spoken to with mutual TLS when it ${title}, and is never chosen for its Service`, async () => {
      await become({ steady: READY, changing: condition })
      await provenCall()
      for (let index = 0; index < 8; index++) assert.equal((await callService()).destination, `${PLACE.steady}:${PORT}`)
    })

  it('is spoken to with mutual TLS when no pod of its Service is ready, and the Service answers nobody', async () => {
    await become({ changing: NOT_READY })
    await provenCall()
    assert.equal((await callService()).by, undefined)
  })

  it('becomes ready and is not any more without a change of listeners or of open connections', async () => {
    await become({ steady: READY, changing: READY })
    const steady = `http://${PLACE.steady}:${PORT}/`
    await eventually(
      async () => (await client.call(USER.application, steady)).by === 'app',
      'the listener knows both pods'
    )
    const next = await client.session(USER.application, url)
    const first = await next()
    assert.equal(first.by, 'app')
    const changes = () =>
      Promise.all(
        ['lds.update_success', 'listener_in_place_updated', 'listener_modified'].map(name =>
          clientProxy.stat(`listener_manager.${name}`)
        )
      )
    const before = await changes()
    assert.ok((before[0] ?? 0) > 0)
    for (const condition of [...Object.values(UNREADY), READY]) {
      await become({ steady: READY, changing: condition })
      await provenCall()
    }
    assert.deepEqual(await changes(), before)
    assert.deepEqual(await next(), first, 'the same connection')
  })

  it('is no endpoint any more when Kubernetes no longer names it, and is passed on to as it is: refused', async () => {
    await become({ steady: READY })
    await eventually(async () => (await callPod()).by === undefined, 'it is passed on to')
    await become({ steady: READY, changing: NOT_READY })
    await eventually(async () => (await callPod()).by === 'app', 'it is back')
  })
})
