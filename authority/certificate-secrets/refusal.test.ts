import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { consequenceOf } from './consequence.ts'
import type { Entry } from './ledger.ts'
import { type Refusal, refusalOf } from './refusal.ts'
import { account } from './secrets.test-support.ts'

const path = '/api/v1/namespaces/a-namespace-with-a-long-name/secrets'
const failed = (status: number | undefined, text: string): CountersignError =>
  new CountersignError(
    status === undefined || status >= 500 || status === 429 ? 'ERR_KUBERNETES_UNAVAILABLE' : 'ERR_KUBERNETES_REFUSED',
    status === undefined ? `POST ${path}: ${text}` : `POST ${path}: status ${status}: ${text}`,
    { facts: { method: 'POST', path, ...(status === undefined ? {} : { status }) } }
  )
const KEY = Buffer.from('-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg').toString(
  'base64'
)

describe('why a write was not done', () => {
  const cases: Readonly<Record<string, readonly [unknown, 'create' | 'patch', Refusal['kind']]>> = {
    'there is one of that name': [failed(409, 'exists'), 'create', 'taken'],
    'it is not as it was': [failed(409, 'modified'), 'patch', 'overtaken'],
    'it is gone': [failed(404, 'not found'), 'patch', 'overtaken'],
    'the namespace is gone': [failed(404, 'not found'), 'create', 'overtaken'],
    'the namespace is being deleted': [
      failed(403, 'unable to create new content in namespace x because it is being terminated'),
      'create',
      'overtaken'
    ],
    'a quota is used up': [failed(403, 'exceeded quota'), 'create', 'refused'],
    'it is not valid': [failed(422, 'invalid'), 'patch', 'refused'],
    'the server has no time': [failed(429, 'too many requests'), 'create', 'unavailable'],
    'the server fails': [failed(500, 'failed calling webhook'), 'create', 'unavailable'],
    'nobody answers': [failed(undefined, 'ECONNREFUSED'), 'create', 'unavailable'],
    'it was never sent': [new TypeError('a mistake'), 'create', 'failed'],
    'nothing can be signed': [new CountersignError('ERR_ISSUER_UNUSABLE', 'over'), 'create', 'failed']
  }
  for (const [why, [thrown, verb, kind]] of Object.entries(cases))
    it(why, () => assert.equal(refusalOf(thrown, verb).kind, kind))

  it('is told without what was sent, and with the name of what was asked', () => {
    const refusal = refusalOf(
      failed(422, `Secret "countersign.orders" is invalid: data: "${KEY}" is too much`),
      'create'
    )
    assert.ok(refusal.kind === 'refused')
    assert.equal(refusal.message, 'status 422: Secret "countersign.orders" is invalid: data: "…" is too much')
    assert.equal(refusal.err.message, `POST ${path}: ${refusal.message}`)
    assert.equal(refusal.err.cause, undefined)
  })

  it('is told without what was cut off in the middle', () => {
    const refusal = refusalOf(failed(422, `x ${KEY.slice(0, 40)}`), 'create')
    assert.ok(refusal.kind === 'refused')
    assert.equal(refusal.message, 'status 422: x …')
  })
})

describe('what follows from an attempt', () => {
  const entry = (conflicts: number): Entry => ({ account: account(), conflicts }) as Entry
  const after = (thrown: unknown, conflicts = 0, failures = 0) =>
    consequenceOf(refusalOf(thrown, 'create'), entry(conflicts), failures)

  it('is nothing more once it is written', () => {
    assert.deepEqual(consequenceOf({ kind: 'written', object: { metadata: { name: 'x' } } }, entry(1), 3), {
      ending: 'done'
    })
  })

  it('is another look where it is not to be written any more', () => {
    assert.deepEqual(consequenceOf({ kind: 'given-up' }, entry(0), 0), { ending: { afterMs: 0 } })
  })

  it('is a wait for the watch when there is one of that name, and a note when that says nothing', () => {
    assert.deepEqual(after(failed(409, 'exists')), { ending: { afterMs: 5_000 }, conflicts: 1 })
    const { ending, obstacle, conflicts } = after(failed(409, 'exists'), 1)
    assert.deepEqual([ending, obstacle?.reason, conflicts], [{ afterMs: 60_000 }, 'SecretNotOurs', 2])
  })

  it('is a note with the reason when it is refused', () => {
    const { ending, obstacle } = after(failed(403, 'exceeded quota'))
    assert.equal(ending, 'later')
    assert.deepEqual(obstacle, {
      reason: 'WriteRefused',
      message: 'the Secret countersign.orders cannot be written: status 403: exceeded quota'
    })
  })

  it('is a note only after some time when the server fails, and none when nobody answers', () => {
    assert.equal(after(failed(500, 'x'), 1, 2).obstacle, undefined)
    assert.equal(after(failed(500, 'x'), 1, 2).conflicts, 1, 'it may have been done all the same')
    assert.equal(after(failed(500, 'x'), 1, 3).obstacle?.reason, 'WriteRefused')
    assert.equal(after(failed(undefined, 'x'), 0, 30).obstacle, undefined)
  })

  it('is a note where nothing can be signed, and none of a mistake of ours', () => {
    assert.equal(after(new CountersignError('ERR_ISSUER_UNUSABLE', 'over')).obstacle?.reason, 'IssuerUnusable')
    assert.deepEqual(after(new TypeError('x')), { ending: 'later' })
  })

  it('is nothing but another try where somebody was faster', () => {
    assert.deepEqual(after(failed(404, 'x')), { ending: 'later' })
  })
})
