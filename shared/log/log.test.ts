import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { CountersignError } from '../errors/index.ts'
import { parseTrustDomain, SpiffeId } from '../identity/index.ts'
import { createLogger, Sensitive } from './index.ts'

function capture(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown> {
  const lines: string[] = []
  write(createLogger('test', 'trace', { write: text => void lines.push(text) }))
  return JSON.parse(lines.join('')) as Record<string, unknown>
}

describe('the logger', () => {
  it('writes level, time and program by name', () => {
    const line = capture(log => log.warn({ node: 'a' }, 'something'))
    assert.equal(line['level'], 'warn')
    assert.equal(line['program'], 'test')
    assert.match(String(line['time']), /^\d{4}-\d\d-\d\dT.*Z$/)
    assert.equal(line['node'], 'a')
  })

  it('writes the facts and the causes of our errors, without a stack', () => {
    const cause = Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' })
    const err = new CountersignError('ERR_AUTHORITY_UNAVAILABLE', 'no answer', { facts: { address: 'a:1' }, cause })
    const logged = capture(log => log.error({ err }, 'failed'))['err'] as Record<string, Record<string, unknown>>
    assert.equal(logged['code'], 'ERR_AUTHORITY_UNAVAILABLE')
    assert.equal(logged['address'], 'a:1')
    assert.equal(logged['stack'], undefined)
    assert.equal(logged['cause']?.['code'], 'ECONNREFUSED')
  })

  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const hidden: readonly (readonly [string, object])[] = [
    ['a sensitive value', { anything: new Sensitive('s3cret') }],
    ['a sensitive value deep inside', { a: { b: { c: { d: new Sensitive('s3cret') } } } }],
    ['a token by its name', { token: 's3cret' }],
    ['a token one level down', { request: { token: 's3cret' } }],
    ['a token two levels down', { a: { request: { token: 's3cret' } } }],
    ['a volume context', { volumeContext: { 'csi.storage.k8s.io/serviceAccount.tokens': 's3cret' } }],
    ['a certificate request', { csr: 's3cret' }],
    ['a private key object', { identity: { handle: privateKey, note: pem.length } }]
  ]
  for (const [what, fields] of hidden)
    it(`hides ${what}`, () => {
      const text = JSON.stringify(capture(log => log.info(fields, 'line')))
      assert.ok(!text.includes('s3cret'), text)
      assert.ok(!text.includes(pem.split('\n')[1] ?? 'none'), text)
    })
})

describe('values in log lines', () => {
  it('may be frozen, and may be identities', () => {
    const spiffeId = SpiffeId.workload(parseTrustDomain('cluster.local'), 'shop', 'orders')
    const line = capture(log =>
      log
        .child({ pod: Object.freeze({ name: 'a' }) })
        .info(Object.freeze({ spiffeId, options: Object.freeze({ node: 'b', token: 'c' }) }), 'line')
    )
    assert.equal(line['spiffeId'], 'spiffe://cluster.local/ns/shop/sa/orders')
    assert.deepEqual(line['options'], { node: 'b', token: '[redacted]' })
    assert.deepEqual(line['pod'], { name: 'a' })
  })
})

describe('Sensitive', () => {
  it('shows itself to nothing but reveal()', () => {
    const value = new Sensitive('s3cret')
    assert.equal(value.reveal(), 's3cret')
    for (const shown of [String(value), `${value}`, JSON.stringify({ value }), inspect({ value }, { depth: 9 })])
      assert.ok(!shown.includes('s3cret'), shown)
  })
})
