import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tokenFor } from './token.ts'

const SECRET = 's3cret-token'

describe('the token for an audience', () => {
  it('is found among others, with its end', () => {
    const text = JSON.stringify({
      other: { token: 'x', expirationTimestamp: '2027-01-01T00:00:00Z' },
      'countersign-ca': { token: SECRET, expirationTimestamp: '2026-01-01T00:00:00Z' }
    })
    const found = tokenFor('countersign-ca', text)
    assert.ok(typeof found === 'object')
    assert.equal(found.token.reveal(), SECRET)
    assert.equal(found.expiresAt, '2026-01-01T00:00:00Z')
    assert.doesNotMatch(JSON.stringify(found), /s3cret/)
  })

  for (const [title, end] of [
    ['missing', undefined],
    ['null', null],
    ['in words', 'tomorrow'],
    ['a number', 1_800_000_000]
  ] as const)
    it(`is used although its end is ${title}`, () => {
      const found = tokenFor('a', JSON.stringify({ a: { token: SECRET, expirationTimestamp: end } }))
      assert.ok(typeof found === 'object')
      assert.equal(found.expiresAt, undefined)
    })

  for (const [title, text, reason] of [
    ['of no text at all', '', /JSON object/],
    ['of text that is no JSON', `{"a": "${SECRET}`, /JSON object/],
    ['of a bare token', JSON.stringify(SECRET), /JSON object/],
    ['of a list', JSON.stringify([SECRET]), /JSON object/],
    ['of null', 'null', /JSON object/],
    ['of an empty object', '{}', /for audience a: the CSIDriver object needs it in tokenRequests/],
    ['for another audience', JSON.stringify({ b: { token: SECRET } }), /for audience a/],
    ['for the audience of the API server', JSON.stringify({ '': { token: SECRET } }), /for audience a/],
    ['that is empty', JSON.stringify({ a: { token: '' } }), /as text/],
    ['that is a number', JSON.stringify({ a: { token: 1 } }), /as text/],
    ['without its object around it', JSON.stringify({ a: SECRET }), /as text/],
    ['by an inherited name', '{}', /for audience/]
  ] as const)
    it(`is not made ${title}, and nothing is shown`, () => {
      const audience = title === 'by an inherited name' ? 'toString' : 'a'
      const found = tokenFor(audience, text)
      assert.ok(typeof found === 'string')
      assert.match(found, reason)
      assert.doesNotMatch(found, /s3cret/)
    })
})
