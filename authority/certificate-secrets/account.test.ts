import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KubeObject } from '../../shared/kube/index.ts'
import { accountOf } from './account.ts'

const metadata = { namespace: 'shop', name: 'orders', uid: 'u-1' }
const with_ = (change: object): KubeObject => ({ metadata: { ...metadata, ...change } })

describe('a service account', () => {
  it('is its names, its UID and what it asks', () => {
    assert.deepEqual(accountOf(with_({ annotations: { 'countersign.dev/certificate-key': 'rsa-2048' } })), {
      ...metadata,
      asked: { wishes: { key: 'rsa-2048' }, unreadable: [], problems: [] }
    })
  })

  it('may have a name with dots, and one for which no Secret has room', () => {
    for (const name of ['build.robot', 'x'.repeat(253)]) assert.equal(accountOf(with_({ name }))?.name, name)
  })

  for (const annotations of [undefined, null, 'x', [], { 'countersign.dev/certificate-key': 1 }])
    it(`asks nothing with annotations ${JSON.stringify(annotations)}`, () => {
      assert.deepEqual(accountOf(with_({ annotations }))?.asked, { wishes: {}, unreadable: [], problems: [] })
    })

  const none: Readonly<Record<string, object>> = {
    'that is being deleted': { deletionTimestamp: '2026-01-01T00:00:00Z' },
    'without a UID': { uid: undefined },
    'in no namespace': { namespace: '' },
    'whose namespace is no label': { namespace: 'a.b' },
    'with a name in capitals': { name: 'Orders' },
    'with a name that leads elsewhere': { name: '../admin' },
    'with a name of 254 characters': { name: 'x'.repeat(254) }
  }
  for (const [what, change] of Object.entries(none))
    it(`is none: one ${what}`, () => assert.equal(accountOf(with_(change)), undefined))
})
