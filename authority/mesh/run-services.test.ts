import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { Service } from '../../shared/inventory/index.ts'
import { ServiceSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { runServices } from './run-services.ts'

const service = (name: string, headless = false): Service =>
  ({ namespace: 'shop', name, headless }) as unknown as Service
const message = (...accounts: readonly string[]) =>
  create(ServiceSchema, { identities: accounts.map(account => `spiffe://cluster.local/ns/shop/sa/${account}`) })

describe('the Services with those who run them', () => {
  it('are those of the mesh, also without anybody, and no others', () => {
    const messages = new Map([
      ['shop/web', message('a', 'b')],
      ['shop/db', message()]
    ])
    const { run } = runServices(messages, [service('web'), service('db', true), service('external')])
    assert.deepEqual(run, [
      { namespace: 'shop', name: 'web', headless: false, accounts: ['shop/a', 'shop/b'] },
      { namespace: 'shop', name: 'db', headless: true, accounts: [] }
    ])
  })

  it('are not those that are pinned to nobody, even if somebody ran them before', () => {
    const messages = new Map([['shop/web', message('a')]])
    const first = runServices(messages, [service('web')])
    const closed: Service = { ...service('web'), pinnedAccounts: [] }
    assert.deepEqual(runServices(new Map([['shop/web', message()]]), [closed], first).run, [])
  })

  it('are the same as before where nothing changed', () => {
    const [web, db] = [message('a'), message('b')]
    const services = [service('web'), service('db')]
    const messages = new Map([
      ['shop/web', web],
      ['shop/db', db]
    ])
    const first = runServices(messages, services)
    assert.equal(runServices(messages, services, first), first)
    assert.equal(runServices(new Map(messages), [...services], first).run, first.run)
    const second = runServices(new Map(messages).set('shop/db', message('c')), services, first)
    assert.equal(second.run[0], first.run[0])
    assert.deepEqual(second.run[1]?.accounts, ['shop/c'])
    const third = runServices(second.messages, [service('web', true), service('db')], second)
    assert.equal(third.run[0]?.headless, true)
    assert.equal(third.run[1], second.run[1])
  })
})
