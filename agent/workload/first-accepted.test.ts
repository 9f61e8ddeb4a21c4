import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CountersignError, type ErrorCode } from '../../shared/errors/index.ts'
import { firstAccepted } from './first-accepted.ts'

const refused = (err: CountersignError): boolean => err.code === 'ERR_AUTHORITY_REFUSED'
const accept = (name: string) => ({ name, attempt: () => Promise.resolve(name) })
const fail = (name: string, code: ErrorCode) => ({
  name,
  attempt: () => Promise.reject(new CountersignError(code, `no ${name}`))
})

describe('of several ways', () => {
  it('the first that is accepted is gone, and none after it', async () => {
    const ways = [fail('renewal', 'ERR_AUTHORITY_REFUSED'), accept('token'), accept('other')]
    assert.equal(await firstAccepted(ways, refused), 'token')
    assert.equal(await firstAccepted([accept('renewal'), fail('token', 'ERR_INTERNAL')], refused), 'renewal')
  })

  it('no other is gone when it would not help', async () => {
    const ways = [fail('renewal', 'ERR_AUTHORITY_UNAVAILABLE'), accept('token')]
    await assert.rejects(firstAccepted(ways, refused), { code: 'ERR_AUTHORITY_UNAVAILABLE', message: 'no renewal' })
  })

  it('the error tells what became of each', async () => {
    const ways = [fail('renewal', 'ERR_AUTHORITY_REFUSED'), fail('token', 'ERR_AUTHORITY_UNAVAILABLE')]
    await assert.rejects(firstAccepted(ways, refused), {
      code: 'ERR_AUTHORITY_UNAVAILABLE',
      message: 'by renewal: no renewal; by token: no token'
    })
  })

  it('there must be one', async () => {
    await assert.rejects(firstAccepted([], refused), TypeError)
  })
})
