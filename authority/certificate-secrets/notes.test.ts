import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventOf, ToldNotes } from './notes.ts'
import { account } from './secrets.test-support.ts'
import type { Note } from './types.ts'

const note = (message: string): Note => ({ reason: 'WriteRefused', message })
const nameOf = (...args: Parameters<typeof eventOf>): string => eventOf(...args).body.metadata.name

describe('the event of a note', () => {
  it('is of its account, where that is', () => {
    const { path, namespace, body } = eventOf(account(), note('no room'), Date.UTC(2026, 0, 1))
    assert.deepEqual([path, namespace], ['/api/v1/namespaces/shop/events', 'shop'])
    assert.match(body.metadata.name, /^countersign\.[0-9a-f]{16}$/)
    assert.deepEqual(
      { ...body, metadata: undefined },
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: undefined,
        involvedObject: {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          namespace: 'shop',
          name: 'orders',
          uid: 'uid-of-orders'
        },
        type: 'Warning',
        reason: 'WriteRefused',
        message: 'no room',
        source: { component: 'countersign-authority' },
        reportingComponent: 'countersign-authority',
        reportingInstance: '',
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:00Z',
        count: 1
      }
    )
  })

  it('has the same name whoever says it and when, and another for another text or account', () => {
    const name = nameOf(account(), note('a'), 0)
    assert.equal(nameOf(account(), note('a'), 1_000), name)
    assert.notEqual(nameOf(account(), note('b'), 0), name)
    assert.notEqual(nameOf(account(), { reason: 'IssuerEnds', message: 'a' }, 0), name)
    assert.notEqual(nameOf({ ...account(), uid: 'another' }, note('a'), 0), name)
  })

  it('is no longer than the API takes', () => {
    const { body } = eventOf(account(), note('x'.repeat(5_000)), 0)
    assert.equal((body as unknown as Note).message.length, 1_000)
  })
})

describe('a note', () => {
  it('is told once, until it says something else or was gone', () => {
    const told = new ToldNotes()
    const [a, b] = [note('a'), note('b')]
    assert.deepEqual(told.fresh(account(), [a]), [a])
    assert.deepEqual(told.fresh(account(), [a]), [])
    assert.deepEqual(told.fresh(account(), [a, b]), [b])
    assert.deepEqual(told.fresh(account(), [b]), [])
    assert.deepEqual(told.fresh(account(), []), [])
    assert.deepEqual(told.fresh(account(), [a, b]), [a, b])
    told.drop('shop')
    assert.deepEqual(told.fresh(account(), [a]), [a])
  })

  it('of another account is another', () => {
    const told = new ToldNotes()
    told.fresh(account(), [note('a')])
    assert.equal(told.fresh(account({}, 'stock'), [note('a')]).length, 1)
  })
})
