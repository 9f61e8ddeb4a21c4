import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Floor, parseFloor } from '../../shared/floor/index.ts'
import { type AdmissionRequest, reviewFloor } from './index.ts'

function floorFrom(text: string): Floor {
  const result = parseFloor(text)
  assert.ok(result.ok)
  return result.floor
}

const SHOP = floorFrom('namespaces: { shop: { mutualTls: true }, bank: { injection: true } }')
const MESH = floorFrom('mesh: { mutualTls: true }')

const selector = { matchLabels: { app: 'orders' } }
const policy = (spec: object | undefined, more: object = {}): object => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'default', namespace: 'shop', ...more },
  ...(spec === undefined ? {} : { spec })
})

function request(object: object, changes: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: 'u1',
    kind: { group: 'security.istio.io', version: 'v1', kind: 'PeerAuthentication' },
    operation: 'CREATE',
    subResource: '',
    namespace: 'shop',
    name: 'default',
    dryRun: false,
    object,
    ...changes
  }
}

const messageOf = (asked: AdmissionRequest, floor: Floor): string | undefined => {
  const verdict = reviewFloor(asked, floor)
  return verdict?.kind === 'deny' ? verdict.message : undefined
}

const lowering: Readonly<Record<string, readonly [spec: object, fields: readonly string[]]>> = {
  DISABLE: [{ mtls: { mode: 'DISABLE' } }, ['spec.mtls.mode DISABLE']],
  PERMISSIVE: [{ mtls: { mode: 'PERMISSIVE' } }, ['spec.mtls.mode PERMISSIVE']],
  'PERMISSIVE of some pods': [{ selector, mtls: { mode: 'PERMISSIVE' } }, ['spec.mtls.mode PERMISSIVE']],
  'one port': [
    { selector, mtls: { mode: 'STRICT' }, portLevelMtls: { 8080: { mode: 'DISABLE' } } },
    ['spec.portLevelMtls["8080"].mode DISABLE']
  ],
  everything: [
    { selector, mtls: { mode: 'DISABLE' }, portLevelMtls: { 1: { mode: 'PERMISSIVE' }, 2: { mode: 'STRICT' } } },
    ['spec.mtls.mode DISABLE', 'spec.portLevelMtls["1"].mode PERMISSIVE']
  ]
}

describe('under a floor of mutual TLS, a PeerAuthentication', () => {
  for (const [what, [spec, fields]] of Object.entries(lowering))
    it(`that asks for less is refused, by every field: ${what}`, () => {
      for (const floor of [SHOP, MESH]) {
        const message = messageOf(request(policy(spec)), floor) ?? assert.fail('not refused')
        assert.deepEqual(
          message.split('; ').map(problem => problem.split(':')[0]),
          fields
        )
        assert.match(message, /expected STRICT or UNSET: the operator’s floor .* namespace shop \(docs\/floor\.md\)/)
      }
    })

  for (const spec of [{ mtls: { mode: 'STRICT' } }, { mtls: { mode: 'UNSET' } }, {}, undefined])
    it(`that asks for no less is left to validation: ${JSON.stringify(spec)}`, () =>
      assert.equal(reviewFloor(request(policy(spec)), SHOP), undefined))

  it('for the whole mesh is held to the floor of the mesh', () => {
    const asked = request(policy({ mtls: { mode: 'PERMISSIVE' } }), { namespace: 'countersign-system' })
    assert.match(messageOf(asked, MESH) ?? '', /namespace countersign-system/)
    assert.equal(reviewFloor(asked, SHOP), undefined)
  })

  it('of a namespace without that rule is left to validation', () => {
    for (const namespace of ['bank', 'elsewhere'])
      assert.equal(reviewFloor(request(policy({ mtls: { mode: 'DISABLE' } }), { namespace }), SHOP), undefined)
  })

  it('that is older than the floor can be deleted, and changed outside of its specification', () => {
    const before = policy({ mtls: { mode: 'DISABLE' } }, { finalizers: ['x'] })
    const after = policy({ mtls: { mode: 'DISABLE' } })
    const update = request(after, { operation: 'UPDATE', oldObject: before })
    assert.equal(reviewFloor(update, SHOP), undefined)
    assert.equal(reviewFloor(request(after, { operation: 'DELETE', object: null, oldObject: before }), SHOP), undefined)
  })

  it('cannot be lowered by a change', () => {
    const lowered = policy({ mtls: { mode: 'DISABLE' } })
    for (const oldObject of [policy({ mtls: { mode: 'STRICT' } }), policy(undefined), undefined, null, 'x'])
      assert.ok(messageOf(request(lowered, { operation: 'UPDATE', oldObject }), SHOP))
  })

  it('that is not valid is left to validation, which refuses it', () =>
    assert.equal(reviewFloor(request(policy({ mtls: { mode: 'off' } })), SHOP), undefined))
})

it('without a floor no policy is below it', () =>
  assert.equal(reviewFloor(request(policy({ mtls: { mode: 'DISABLE' } }))), undefined))
