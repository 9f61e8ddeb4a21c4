import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { parseReview } from './index.ts'

/** What an API server of Kubernetes 1.34 sends, shortened. */
const review = (): Record<string, unknown> & { request: Record<string, unknown> } => ({
  kind: 'AdmissionReview',
  apiVersion: 'admission.k8s.io/v1',
  request: {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    requestKind: { group: '', version: 'v1', kind: 'Pod' },
    namespace: 'shop',
    operation: 'CREATE',
    userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller' },
    object: { kind: 'Pod' },
    oldObject: null,
    dryRun: false,
    options: { kind: 'CreateOptions' }
  }
})

describe('an admission review', () => {
  it('is reduced to what is read', () => {
    assert.deepEqual(parseReview(review()), {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      operation: 'CREATE',
      subResource: '',
      namespace: 'shop',
      name: '',
      dryRun: false,
      object: { kind: 'Pod' }
    })
  })

  it('may be of something without a namespace, and of a deletion', () => {
    const body = review()
    Object.assign(body.request, { namespace: undefined, operation: 'DELETE', object: null, subResource: 'status' })
    const { namespace, object, subResource } = parseReview(body)
    assert.deepEqual({ namespace, object, subResource }, { namespace: '', object: null, subResource: 'status' })
  })

  const change = (name: string, value: unknown) => (body: ReturnType<typeof review>) => ({
    ...body,
    request: { ...body.request, [name]: value }
  })
  const refusals: Readonly<Record<string, readonly [(body: ReturnType<typeof review>) => unknown, string]>> = {
    'of an older version': [
      body => ({ ...body, apiVersion: 'admission.k8s.io/v1beta1' }),
      'apiVersion: expected admission.k8s.io/v1, got "admission.k8s.io/v1beta1"'
    ],
    'of another kind': [
      body => ({ ...body, kind: 'ConversionReview' }),
      'kind: expected AdmissionReview, got "ConversionReview"'
    ],
    'that answers instead of asking': [
      ({ request: _, ...body }) => ({ ...body, response: {} }),
      'request: expected object, got nothing'
    ],
    'without a uid': [change('uid', undefined), 'request.uid: expected string, got nothing'],
    'with an empty uid': [change('uid', ''), 'request.uid: expected text, got ""'],
    'with a number as its uid': [change('uid', 5), 'request.uid: expected string, got number'],
    'without a kind': [change('kind', null), 'request.kind: expected object, got null'],
    'with a kind as a word': [change('kind', 'Pod'), 'request.kind: expected object, got "Pod"'],
    'with an unknown operation': [
      change('operation', 'PATCH'),
      'request.operation: expected CREATE or UPDATE or DELETE or CONNECT, got "PATCH"'
    ],
    'with a list as its namespace': [change('namespace', []), 'request.namespace: expected string, got array'],
    'that is a list': [() => [], 'body: expected object, got array'],
    'that is null': [() => null, 'body: expected object, got null'],
    'that is nothing': [() => undefined, 'body: expected object, got nothing']
  }
  for (const [what, [edit, message]] of Object.entries(refusals))
    it(`is refused ${what}`, () => {
      assert.throws(
        () => parseReview(edit(review())),
        (thrown: unknown) =>
          thrown instanceof CountersignError &&
          thrown.code === 'ERR_ADMISSION_REVIEW_INVALID' &&
          assert.equal(thrown.message, message) === undefined
      )
    })

  it('is refused with all its faults at once', () => {
    assert.throws(
      () => parseReview({ request: { kind: {} } }),
      (thrown: unknown) => {
        assert.ok(thrown instanceof CountersignError)
        assert.equal((thrown.facts['problems'] as readonly string[]).length, 7)
        return true
      }
    )
  })
})
