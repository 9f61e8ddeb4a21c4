import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import { CATALOGUE, CountersignError, type ErrorCode } from '../errors/index.ts'
import { statusOf } from './index.ts'

const SECRET = 'the key of pod 7 does not match'

describe('what a peer is told', () => {
  for (const code of Object.keys(CATALOGUE) as ErrorCode[]) {
    it(`never holds the message of ${code}`, () => {
      const told = statusOf(new CountersignError(code, SECRET, { cause: new Error(SECRET), facts: { pod: SECRET } }))
      assert.doesNotMatch(JSON.stringify(told), /pod 7/)
      assert.notEqual(told.code, status.OK)
    })
  }

  it('is the same sentence for every refusal', () => {
    const refusals = ['ERR_CSR_REFUSED', 'ERR_TOKEN_REFUSED', 'ERR_CALLER_REFUSED', 'ERR_RENEWAL_REFUSED'] as const
    const told = new Set(refusals.map(code => JSON.stringify(statusOf(new CountersignError(code, SECRET)))))
    assert.equal(told.size, 1)
    assert.equal(statusOf(new CountersignError('ERR_CSR_REFUSED', SECRET)).code, status.PERMISSION_DENIED)
  })

  it('is INTERNAL for what is nobody’s business', () => {
    assert.equal(statusOf(new CountersignError('ERR_STATE_CORRUPT', SECRET)).code, status.INTERNAL)
  })

  it('is INVALID_ARGUMENT for a discovery request that is not valid', () => {
    const told = statusOf(new CountersignError('ERR_DISCOVERY_REQUEST_INVALID', 'type_url is empty'))
    assert.equal(told.code, status.INVALID_ARGUMENT)
  })
})
