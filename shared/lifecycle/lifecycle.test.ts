import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger } from '../log/index.ts'
import { Readiness } from './index.ts'

const silent = createLogger('test', 'fatal')

describe('Readiness', () => {
  it('is ready when every debt is paid, and says what is left', () => {
    const readiness = new Readiness(silent)
    const sockets = readiness.owe('sockets')
    const certificate = readiness.owe('certificate')
    assert.deepEqual(readiness.open, ['sockets', 'certificate'])
    sockets.pay()
    assert.equal(readiness.ready, false)
    certificate.pay()
    certificate.pay()
    assert.equal(readiness.ready, true)
  })

  it('refuses two open debts of one name', () => {
    const readiness = new Readiness(silent)
    const debt = readiness.owe('sockets')
    assert.throws(() => readiness.owe('sockets'), TypeError)
    debt.pay()
    readiness.owe('sockets')
    assert.equal(readiness.ready, false)
  })
})
