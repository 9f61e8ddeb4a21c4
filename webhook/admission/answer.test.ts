import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answerReview } from './index.ts'

const { response: skipped } = answerReview('u1', {
  kind: 'allow',
  outcome: 'skipped',
  reason: 'host-network',
  message: 'why'
})

describe('an answer', () => {
  it('carries a patch as base64 of a JSON patch', () => {
    const patch = [{ op: 'add', path: '/spec/volumes', value: [] }] as const
    const answer = answerReview('u1', { kind: 'allow', outcome: 'injected', patch })
    assert.deepEqual(answer, {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: {
        uid: 'u1',
        allowed: true,
        patchType: 'JSONPatch',
        patch: Buffer.from('[{"op":"add","path":"/spec/volumes","value":[]}]').toString('base64'),
        auditAnnotations: { outcome: 'injected' }
      }
    })
  })

  it('says why nothing was changed, in its status and for the audit log', () => {
    assert.deepEqual(skipped, {
      uid: 'u1',
      allowed: true,
      status: { code: 200, message: 'why' },
      auditAnnotations: { outcome: 'skipped', reason: 'host-network' }
    })
  })

  it('has no patch type without a patch, which the API server refuses', () => {
    assert.ok(!('patchType' in skipped) && !('patch' in skipped))
  })

  it('refuses what is not valid with 422 and what is not supported with 400', () => {
    const told = (reason: 'invalid' | 'unsupported') =>
      answerReview('u1', { kind: 'deny', outcome: 'refused', reason, message: 'why' }).response
    assert.deepEqual(told('invalid'), {
      uid: 'u1',
      allowed: false,
      status: { code: 422, reason: 'Invalid', message: 'why' },
      auditAnnotations: { outcome: 'refused', reason: 'invalid' }
    })
    assert.deepEqual(told('unsupported').status, { code: 400, reason: 'BadRequest', message: 'why' })
  })

  it('shortens a warning to what the API server passes on, and has none where there is none', () => {
    const { response } = answerReview('u', { kind: 'allow', outcome: 'skipped', warnings: ['w'.repeat(300), 'short'] })
    assert.deepEqual(
      response.warnings?.map(({ length }) => length),
      [256, 5]
    )
    assert.ok(!('warnings' in answerReview('u', { kind: 'allow', outcome: 'skipped', warnings: [] }).response))
  })
})
