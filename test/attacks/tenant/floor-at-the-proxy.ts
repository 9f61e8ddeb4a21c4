// A tenant's policies are stored although a floor forbids them, as where the webhook does not answer. The authority's
// naming makes the workload of them, and a real Envoy is configured with it.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../../agent/proxy/fixtures.test-support.ts'
import type { PodState } from '../../../agent/proxy/index.ts'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  policy,
  settings
} from '../../../authority/naming/mesh.test-support.ts'
import { meshState } from '../../../authority/naming/mesh-state.ts'
import { type Floor, parseFloor } from '../../../shared/floor/index.ts'
import type { Workload } from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Issuer } from '../../../shared/x509/index.ts'
import { type Application, startHttpApplication } from '../../envoy/applications.ts'
import { open, openTls } from '../../envoy/calls.ts'
import { type ExplicitPod, startExplicitPod } from '../../envoy/explicit-pod.ts'
import { startTokenPod, type TokenPod } from '../../envoy/tokens/token-pod.ts'
import { freePort } from '../../free-port.ts'
import { keySet, newSigningKey, signed } from '../../oidc/index.ts'

function floorFrom(text: string): Floor {
  const parsed = parseFloor(text)
  return parsed.ok ? parsed.floor : assert.fail(parsed.problems.join())
}

function workloadOf(manifests: readonly Manifest[], floor?: Floor): Workload {
  const rules = floor === undefined ? settings : { ...settings, floor }
  const { workloadsByNode } = meshState(inventoryOf(manifests), rules)
  return workloadsByNode.get('node-1')?.get('uid-orders-1') ?? assert.fail('there is no workload')
}

const REQUEST = 'GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n'

describe('a tenant whose policies are below the floor', () => {
  const [address, applicationAddress] = ['127.87.61.1', '127.87.61.101']
  let port = 0
  let root: Issuer
  let podState: PodState
  let application: Application | undefined
  let proxy: ExplicitPod | undefined
  before(async () => {
    port = await freePort(address, applicationAddress)
    root = await newRoot()
    podState = {
      workload: newWorkload({ addresses: [address] }),
      svid: await newSvid(root, spiffeId('shop', 'orders')),
      interception: { kind: 'explicit', applicationAddress },
      probes: []
    }
    application = await startHttpApplication(applicationAddress, port)
    proxy = await startExplicitPod(newState({ roots: [root] }), stateFor([], undefined))
  })
  after(async () => {
    await proxy?.stop()
    await application?.stop()
  })

  function stateFor(policies: readonly Manifest[], floor: Floor | undefined): PodState {
    const manifests = [pod({ ports: [{ name: 'http', containerPort: port }] }), ...policies]
    const { mode, portModes, ports } = workloadOf(manifests, floor)
    return { ...podState, workload: newWorkload({ addresses: [address], mode, portModes, ports }) }
  }

  async function isAnswered(svid?: PodState['svid']): Promise<boolean> {
    const conversation = await (svid === undefined ? open(address, port) : openTls({ address, port, svid }))
    try {
      conversation.write(REQUEST)
      await conversation.received('orders')
      return true
    } catch {
      return false
    } finally {
      conversation.close()
    }
  }

  const selector = { app: 'orders' }
  const lowering = (): Readonly<Record<string, readonly Manifest[]>> => ({
    'DISABLE for the namespace': [policy({ namespace: 'shop', mode: 'DISABLE' })],
    'PERMISSIVE for the namespace': [policy({ namespace: 'shop', mode: 'PERMISSIVE' })],
    'DISABLE for the pod': [policy({ namespace: 'shop', name: 'a', selector, mode: 'DISABLE' })],
    'portLevelMtls DISABLE': [
      policy({ namespace: 'shop', name: 'a', selector, mode: 'STRICT', ports: { [port]: 'DISABLE' } })
    ],
    'portLevelMtls PERMISSIVE': [policy({ namespace: 'shop', name: 'a', selector, ports: { [port]: 'PERMISSIVE' } })],
    'no policy, which is PERMISSIVE': []
  })

  it('a tenant who disables mutual TLS cannot have plaintext accepted, and callers of the mesh are served', async t => {
    const caller = await newSvid(root, spiffeId('shop', 'storefront'))
    let refused = 0
    for (const [what, policies] of Object.entries(lowering()))
      for (const text of ['namespaces: { shop: { mutualTls: true } }', 'mesh: { mutualTls: true }']) {
        // Without the floor first: the attack would work.
        await proxy?.update(newState({ roots: [root] }), stateFor(policies, undefined))
        assert.equal(await isAnswered(), true, `${what} without a floor`)
        await proxy?.update(newState({ roots: [root] }), stateFor(policies, floorFrom(text)))
        assert.equal(await isAnswered(), false, `${what} under ${text}`)
        assert.equal(await isAnswered(caller), true, `${what} under ${text}, with a certificate`)
        refused++
      }
    t.diagnostic(`${refused} variants refused`)
  })
})

describe('a tenant who claims paths that the root namespace protects', () => {
  const [rootKey, tenantKey] = [newSigningKey('ES256'), newSigningKey('ES256')]
  const [ROOT, TENANT] = ['https://root.test', 'https://tenant.test']
  const inTenMinutes = Math.floor(Date.now() / 1_000) + 600
  const ofRoot = signed(rootKey, { iss: ROOT, sub: 'ada', exp: inTenMinutes })
  const ofTenant = signed(tenantKey, { iss: TENANT, sub: 'eve', exp: inTenMinutes })
  const FLOOR = floorFrom('namespaces: { shop: { endUserChecks: true } }')

  let tokens: TokenPod
  before(async () => {
    tokens = await startTokenPod('127.87.62')
  })
  after(() => tokens?.stop())

  const keySets = { [ROOT]: keySet(rootKey), [TENANT]: keySet(tenantKey) }
  const rootPolicy = (spec: object = {}): Manifest =>
    endUserAuthentication({
      namespace: 'countersign-system',
      name: 'all',
      created: 9,
      spec: { issuer: ROOT, ...spec }
    })

  async function apply(policies: readonly Manifest[], floor?: Floor): Promise<void> {
    const { endUsers } = workloadOf([pod(), ...policies], floor)
    assert.ok(endUsers !== undefined)
    await tokens.apply({ providers: endUsers.providers, rules: endUsers.rules }, keySets)
  }
  const statusOf = async (target: string, token?: string): Promise<number> =>
    (await tokens.ask({ target, ...(token === undefined ? {} : { token }) })).status

  it('a tenant with an older policy for the same path cannot have the tokens of another issuer accepted there', async t => {
    const paths: readonly (readonly [spec: object, target: string])[] = [
      [{}, '/anything'],
      [{ includePaths: ['/admin'] }, '/admin'],
      [{ includePaths: ['/admin/*'] }, '/admin/users'],
      [{ includePaths: ['*'] }, '/admin'],
      [{ excludePaths: ['/open'] }, '/admin'],
      [{ includePaths: ['/admin'], methods: ['GET'] }, '/admin']
    ]
    for (const [spec, target] of paths) {
      const older = endUserAuthentication({ name: 'mine', created: 1, spec: { issuer: TENANT, ...spec } })
      const policies = [rootPolicy(), older]
      // Without the floor first: the older policy holds, and the attack works.
      await apply(policies)
      assert.equal(await statusOf(target, ofTenant), 200, `${target} without a floor`)
      await apply(policies, FLOOR)
      assert.equal(await statusOf(target, ofTenant), 401, `${target} with the token of the tenant`)
      assert.equal(await statusOf(target), 401, `${target} without a token`)
      assert.equal(await statusOf(target, ofRoot), 200, `${target} with the token of the root`)
    }
    t.diagnostic(`${paths.length} variants refused`)
  })

  it('a tenant may protect paths that the root namespace leaves open', async () => {
    const mine = endUserAuthentication({ name: 'mine', created: 1, spec: { issuer: TENANT } })
    await apply([rootPolicy({ includePaths: ['/admin'] }), mine], FLOOR)
    assert.deepEqual(
      [
        await statusOf('/admin', ofTenant),
        await statusOf('/admin', ofRoot),
        await statusOf('/', ofTenant),
        await statusOf('/', ofRoot)
      ],
      [401, 200, 200, 401]
    )
  })
})
