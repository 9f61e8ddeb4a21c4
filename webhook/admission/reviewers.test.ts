import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseOptions } from '../../shared/config/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { WEBHOOK_OPTIONS } from '../options.ts'
import { injectionSettings } from '../settings.ts'
import { recordingLogger } from '../webhook.test-support.ts'
import { type AdmissionRequest, type PortWarningOptions, reviewMount, reviewPod, reviewPolicy } from './index.ts'

const settings = injectionSettings(parseOptions(WEBHOOK_OPTIONS, [], {}))
const POD = { metadata: { generateName: 'web-' }, spec: { containers: [{ name: 'web' }] } }

function request(changes: Partial<AdmissionRequest>): AdmissionRequest {
  return {
    uid: 'u1',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    operation: 'CREATE',
    subResource: '',
    namespace: 'shop',
    name: '',
    dryRun: false,
    object: POD,
    ...changes
  }
}

describe('the verdict on a pod', () => {
  it('is a patch', () => {
    const verdict = reviewPod(request({}), settings)
    assert.ok(verdict.kind === 'allow' && verdict.outcome === 'injected')
    assert.equal(verdict.patch?.length, 2)
  })

  it('takes the namespace from the request, since a pod of a controller names none', () => {
    const verdict = reviewPod(request({ namespace: 'kube-system' }), settings)
    assert.ok(verdict.kind === 'allow')
    assert.deepEqual([verdict.outcome, verdict.reason, verdict.warnings], ['skipped', 'excluded-namespace', []])
  })

  it('warns who asked for a proxy and gets none', () => {
    const object = { metadata: {}, spec: { hostNetwork: true, containers: [] } }
    const verdict = reviewPod(request({ object }), settings)
    assert.ok(verdict.kind === 'allow')
    assert.equal(verdict.reason, 'host-network')
    assert.match(verdict.warnings?.[0] ?? '', /^the pod runs without a proxy: spec\.hostNetwork is true/)
  })

  it('is a refusal with everything that is wrong', () => {
    const object = { ...POD, metadata: { annotations: { 'countersign.dev/proxy-cpu': 'much' } } }
    const verdict = reviewPod(request({ object }), settings)
    assert.ok(verdict.kind === 'deny')
    assert.equal(verdict.reason, 'invalid')
    assert.match(verdict.message, /annotation countersign\.dev\/proxy-cpu "much"/)
  })

  for (const changes of [
    { operation: 'UPDATE' },
    { operation: 'DELETE', object: null },
    { subResource: 'eviction' }
  ] as const)
    it(`leaves what creates no pod as it is: ${JSON.stringify(changes)}`, () => {
      assert.deepEqual(reviewPod(request(changes), settings), {
        kind: 'allow',
        outcome: 'skipped',
        reason: 'not-a-creation'
      })
    })

  it('refuses what is no pod, naming what it is', () => {
    const verdict = reviewPod(request({ kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }), settings)
    assert.ok(verdict.kind === 'deny')
    assert.equal(verdict.reason, 'unsupported')
    assert.match(verdict.message, /got Deployment of apps\/v1/)
  })

  const malformed: Readonly<Record<string, readonly [unknown, string]>> = {
    nothing: [undefined, 'request.object: expected object, got nothing'],
    null: [null, 'request.object: expected object, got null'],
    'no spec': [{ metadata: {} }, 'request.object.spec: expected object, got nothing'],
    'no metadata': [{ spec: { containers: [] } }, 'request.object.metadata: expected object, got nothing'],
    'containers as an object': [
      { metadata: {}, spec: { containers: {} } },
      'request.object.spec.containers: expected array, got object'
    ],
    'a container without a name': [
      { metadata: {}, spec: { containers: [{}] } },
      'request.object.spec.containers[0].name: expected string, got nothing'
    ],
    'a port as text': [
      { metadata: {}, spec: { containers: [{ name: 'a', ports: [{ containerPort: '80' }] }] } },
      'request.object.spec.containers[0].ports[0].containerPort: expected number, got "80"'
    ],
    'a label that is no text': [
      { metadata: { labels: { a: true } }, spec: { containers: [] } },
      'request.object.metadata.labels.a: expected string, got boolean'
    ],
    'volumes as text': [
      { metadata: {}, spec: { containers: [], volumes: 'x'.repeat(100) } },
      'request.object.spec.volumes: expected array, got string'
    ]
  }
  for (const [what, [object, message]] of Object.entries(malformed))
    it(`cannot be given for ${what}`, () => {
      assert.throws(
        () => reviewPod(request({ object }), settings),
        (thrown: unknown) =>
          thrown instanceof CountersignError &&
          thrown.code === 'ERR_ADMISSION_REVIEW_INVALID' &&
          assert.equal(thrown.message, message) === undefined
      )
    })
})

describe('the verdict on a pod that asks for certificates', () => {
  const asking = (names: string, spec: object = {}) => ({
    metadata: { annotations: { 'countersign.dev/certificates': names } },
    spec: { ...POD.spec, ...spec }
  })

  it('is a patch', () => {
    const verdict = reviewMount(request({ object: asking('web') }), settings)
    assert.ok(verdict.kind === 'allow' && verdict.outcome === 'mounted')
    assert.equal(verdict.patch?.length, 2)
  })

  it('is no word about one that does not ask', () => {
    const verdict = reviewMount(request({}), settings)
    assert.ok(verdict.kind === 'allow')
    assert.deepEqual([verdict.outcome, verdict.reason, verdict.warnings], ['skipped', 'not-asked', []])
  })

  it('warns who asked and gets none, by the namespace of the request', () => {
    const verdict = reviewMount(request({ object: asking('web'), namespace: 'kube-system' }), settings)
    assert.ok(verdict.kind === 'allow')
    assert.deepEqual([verdict.outcome, verdict.reason], ['skipped', 'excluded-namespace'])
    assert.match(verdict.warnings?.[0] ?? '', /^the pod gets no certificates: its namespace is excluded/)
  })

  it('is a refusal with everything that is wrong', () => {
    const verdict = reviewMount(request({ object: asking('wbe,worker') }), settings)
    assert.ok(verdict.kind === 'deny')
    assert.equal(verdict.reason, 'invalid')
    assert.match(verdict.message, /of web; there is no container "wbe"; .*; there is no container "worker"/)
  })

  for (const changes of [
    { operation: 'UPDATE' },
    { operation: 'DELETE', object: null },
    { subResource: 'ephemeralcontainers' }
  ] as const)
    it(`leaves what creates no pod as it is: ${JSON.stringify(changes)}`, () => {
      assert.deepEqual(reviewMount(request({ object: asking('nobody'), ...changes }), settings), {
        kind: 'allow',
        outcome: 'skipped',
        reason: 'not-a-creation'
      })
    })

  it('refuses what is no pod, naming what it is', () => {
    const verdict = reviewMount(request({ kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }), settings)
    assert.ok(verdict.kind === 'deny')
    assert.match(verdict.message, /got Deployment of apps\/v1/)
  })

  const malformed: Readonly<Record<string, readonly [object, string]>> = {
    'an account that is a number': [{ serviceAccountName: 5 }, 'spec.serviceAccountName: expected string, got number'],
    'a group as text': [
      { securityContext: { fsGroup: '70' } },
      'spec.securityContext.fsGroup: expected number, got "70"'
    ],
    'a mode as text': [
      { volumes: [{ name: 'a', secret: { defaultMode: '0440' } }] },
      'spec.volumes[0].secret.defaultMode: expected number, got "0440"'
    ],
    'a mount without a path': [
      { containers: [{ name: 'web', volumeMounts: [{ name: 'a' }] }] },
      'spec.containers[0].volumeMounts[0].mountPath: expected string, got nothing'
    ],
    'a mount that is read-only in words': [
      { containers: [{ name: 'web', volumeMounts: [{ name: 'a', mountPath: '/a', readOnly: 'yes' }] }] },
      'spec.containers[0].volumeMounts[0].readOnly: expected boolean, got "yes"'
    ]
  }
  for (const [what, [spec, message]] of Object.entries(malformed))
    it(`cannot be given for ${what}`, () => {
      assert.throws(() => reviewMount(request({ object: asking('web', spec) }), settings), {
        code: 'ERR_ADMISSION_REVIEW_INVALID',
        message: `request.object.${message}`
      })
    })
})

describe('the verdict on a policy', () => {
  const policy = (mode: string) => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'p', namespace: 'shop' },
    spec: { mtls: { mode } }
  })

  it('is that it may be stored, perhaps with a warning', async () => {
    assert.deepEqual(await reviewPolicy(request({ object: policy('STRICT') })), {
      kind: 'allow',
      outcome: 'accepted',
      warnings: []
    })
    const verdict = await reviewPolicy(request({ object: policy('UNSET'), operation: 'UPDATE' }))
    assert.equal(verdict.kind === 'allow' && verdict.warnings?.length, 1)
  })

  const endUsers = {
    apiVersion: 'countersign.dev/v1',
    kind: 'EndUserAuthentication',
    metadata: { name: 'p', namespace: 'shop' },
    spec: { issuer: 'https://a.test', audiences: ['web'] }
  }
  const failing = async (): Promise<never> => {
    throw new Error('pods is forbidden')
  }
  const warnings: Readonly<Record<string, readonly [Omit<PortWarningOptions, 'log'>, string, RegExp]>> = {
    'is for the whole mesh': [
      { rootNamespace: 'shop', findWorkloads: failing },
      'shop',
      /^the policy is for the whole mesh: ports declared TCP or TLS are closed to callers and/
    ],
    'cannot be looked up': [
      { rootNamespace: 'root', findWorkloads: failing },
      'shop',
      /^the ports that the policy closes are not known: pods is forbidden; the status/
    ],
    'is validated without the Kubernetes API': [{ rootNamespace: 'root' }, 'shop', /no access to the Kubernetes API/],
    'has nothing to select among what is found': [
      { rootNamespace: 'root', findWorkloads: async () => ({ pods: [], services: [], isPartial: true }) },
      'shop',
      /^more than 500 pods/
    ]
  }
  for (const [what, [options, namespace, expected]] of Object.entries(warnings))
    for (const changes of [{}, { dryRun: true }, { operation: 'UPDATE' }] as const)
      it(`warns and never refuses when a policy ${what}: ${JSON.stringify(changes)}`, async () => {
        const { log } = recordingLogger()
        const asked = request({ object: endUsers, namespace, ...changes })
        const verdict = await reviewPolicy(asked, { ...options, log })
        assert.ok(verdict.kind === 'allow')
        assert.equal(verdict.warnings?.length, 1)
        assert.match(verdict.warnings?.[0] ?? '', expected)
      })

  it('says nothing of ports about a PeerAuthentication', async () => {
    const { log } = recordingLogger()
    const asked = request({ object: policy('STRICT') })
    const verdict = await reviewPolicy(asked, { rootNamespace: 'shop', findWorkloads: failing, log })
    assert.deepEqual(verdict.kind === 'allow' && verdict.warnings, [])
  })

  it('is that it may be deleted, whatever it was', async () => {
    assert.equal((await reviewPolicy(request({ operation: 'DELETE', object: null }))).kind, 'allow')
  })

  it('is a refusal with the field', async () => {
    const verdict = await reviewPolicy(request({ object: policy('strict') }))
    assert.ok(verdict.kind === 'deny')
    assert.equal(verdict.reason, 'invalid')
    assert.match(verdict.message, /^spec\.mtls\.mode: expected one of/)
  })

  it('is a refusal of kinds that are not known, naming those that are', async () => {
    const verdict = await reviewPolicy(request({ object: { apiVersion: 'v1', kind: 'Pod' } }))
    assert.ok(verdict.kind === 'deny')
    assert.equal(verdict.reason, 'unsupported')
    assert.match(verdict.message, /PeerAuthentication/)
  })

  for (const object of [null, undefined, 'x', [], {}, { kind: 'Pod' }])
    it(`cannot be given for ${JSON.stringify(object)}`, async () => {
      await assert.rejects(() => reviewPolicy(request({ object })), /^CountersignError: request\.object/)
    })
})
