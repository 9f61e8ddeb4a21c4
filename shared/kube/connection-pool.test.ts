import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectionPool } from './connection-pool.ts'

const SERVER = new URL('https://127.0.0.1:6443')
const headers = {}

describe('kept connections', () => {
  it('are shared while the certificates behind them are the same, whatever the token', () => {
    const pool = new ConnectionPool(SERVER)
    const first = pool.agentFor({ tls: { ca: Buffer.from('ca') }, headers: { Authorization: 'Bearer 1' } })
    assert.equal(pool.agentFor({ tls: { ca: Buffer.from('ca') }, headers: { Authorization: 'Bearer 2' } }), first)
    pool.close()
  })

  const changes = [
    { title: 'the root of the API server', tls: { ca: Buffer.from('another') } },
    { title: 'the certificate of the client', tls: { ca: Buffer.from('ca'), cert: Buffer.from('cert') } },
    { title: 'the name of the API server', tls: { ca: Buffer.from('ca'), servername: 'kubernetes' } },
    { title: 'whether the API server is verified', tls: { ca: Buffer.from('ca'), rejectUnauthorized: false } }
  ]
  for (const { title, tls } of changes)
    it(`are made anew when ${title} changes, and old ones are kept no longer`, () => {
      const pool = new ConnectionPool(SERVER)
      const first = pool.agentFor({ tls: { ca: Buffer.from('ca') }, headers })
      assert.notEqual(pool.agentFor({ tls, headers }), first)
      assert.equal(first.maxFreeSockets, 0)
      pool.close()
    })
})
