import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EMPTY_INVENTORY, podFromManifest } from '../../shared/inventory/index.ts'
import type { UnreadablePolicy } from '../../shared/policy/index.ts'
import { unreadableStatuses } from './index.ts'

const ROOT = 'countersign-system'

const pods = [
  ['shop', 'orders'],
  ['shop', 'web'],
  ['bank', 'vault']
].flatMap(([namespace, app]) => {
  const { value } = podFromManifest({
    metadata: { name: app, namespace, uid: `uid-${app}`, labels: { app } },
    spec: {
      serviceAccountName: app,
      nodeName: 'node-1',
      initContainers: [{ name: 'countersign-proxy', restartPolicy: 'Always', volumeMounts: [{ name: 'countersign' }] }],
      containers: [{ name: 'app' }],
      volumes: [{ name: 'countersign', csi: { driver: 'csi.countersign.dev', volumeAttributes: {} } }]
    },
    status: { phase: 'Running' }
  })
  return value ?? []
})

const conditionsOf = (changes: Partial<UnreadablePolicy>, problems: Parameters<typeof unreadableStatuses>[2] = []) => {
  const policy: UnreadablePolicy = {
    kind: 'EndUserAuthentication',
    namespace: 'shop',
    name: 'p',
    generation: 3,
    issues: ['spec.a: unknown field', 'spec.b: unknown field'],
    ...changes
  }
  const [status, ...others] = unreadableStatuses(
    { ...EMPTY_INVENTORY, pods, unreadablePolicies: [policy] },
    ROOT,
    problems
  )
  assert.ok(status)
  assert.deepEqual(
    [others, status.kind, status.namespace, status.name, status.generation],
    [[], policy.kind, policy.namespace, policy.name, 3]
  )
  return Object.fromEntries(status.conditions.map(condition => [condition.type, condition]))
}

describe('what is said of a policy that cannot be understood', () => {
  it('is what is wrong, what is closed, and what to do', () => {
    const { Accepted: accepted, Ready: ready, KeysReady: keys } = conditionsOf({})
    const message =
      'spec.a: unknown field; spec.b: unknown field. Until the policy is corrected or deleted, the workloads that it selects refuse every request with 401'
    assert.deepEqual(accepted, { type: 'Accepted', status: 'False', reason: 'InvalidClosed', message })
    assert.deepEqual([ready?.status, ready?.reason, ready?.message], ['False', 'InvalidClosed', message])
    assert.deepEqual([keys?.status, keys?.reason], ['Unknown', 'InvalidClosed'])
  })

  it('is also where it closes nothing', () => {
    const problems = [
      { kind: 'not-enforced', object: 'EndUserAuthentication shop/p', message: 'does not hold for some' },
      { kind: 'not-enforced', object: 'PeerAuthentication shop/p', message: 'is of another' },
      { kind: 'policy-unreadable', object: 'EndUserAuthentication shop/p', message: 'is said already' }
    ]
    const { Accepted: accepted, Ready: ready } = conditionsOf({}, problems)
    assert.match(ready?.message ?? '', /refuse every request with 401\. Not all of them: it does not hold for some$/)
    assert.deepEqual([accepted?.message, ready?.reason], [ready?.message, 'InvalidClosed'])
  })

  it('is that workloads are STRICT, and nothing of keys, for a PeerAuthentication', () => {
    const conditions = conditionsOf({ kind: 'PeerAuthentication' })
    assert.match(conditions['Accepted']?.message ?? '', /accept mutual TLS alone \(STRICT\) on every port$/)
    assert.equal(conditions['KeysReady'], undefined)
  })

  const selections: Readonly<Record<string, readonly [Partial<UnreadablePolicy>, string]>> = {
    'its namespace': [{}, 'shop/orders, shop/web'],
    'what its selector selects': [{ selector: { app: 'web' } }, 'shop/web'],
    'the mesh in the root namespace': [{ namespace: ROOT }, 'bank/vault, shop/orders, shop/web'],
    'with a selector there, too': [
      { kind: 'PeerAuthentication', namespace: ROOT, selector: { app: 'vault' } },
      'bank/vault'
    ]
  }
  for (const [what, [changes, expected]] of Object.entries(selections))
    it(`names the accounts whose pods are closed: ${what}`, () => {
      assert.equal(
        conditionsOf(changes)['WorkloadsSelected']?.message,
        `selects pods of the service accounts ${expected}`
      )
    })
})
