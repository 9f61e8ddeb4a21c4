import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assembleInventory, EMPTY_INVENTORY } from './assemble.ts'
import type { Inventory, Namespace } from './types.ts'

const namespace = (name: string, labels = {}): Namespace => ({ name, labels })
const inventory = (...namespaces: readonly Namespace[]): Inventory => ({ ...EMPTY_INVENTORY, namespaces })

test('an equal inventory is the previous one', () => {
  const first = assembleInventory(EMPTY_INVENTORY, inventory(namespace('a', { x: 'y' }), namespace('b')))
  assert.equal(assembleInventory(first, inventory(namespace('b'), namespace('a', { x: 'y' }))), first)
})

test('nothing after nothing is the same nothing', () => {
  assert.equal(assembleInventory(EMPTY_INVENTORY, inventory()), EMPTY_INVENTORY)
})

test('what did not change stays the same object, and so do lists', () => {
  const policy = {
    apiVersion: 'security.istio.io/v1',
    namespace: 'a',
    name: 'p',
    mode: 'STRICT',
    portModes: new Map()
  } as const
  const first = assembleInventory(EMPTY_INVENTORY, {
    ...inventory(namespace('a'), namespace('b')),
    peerAuthentications: [policy]
  })
  const changed = inventory(namespace('a'), namespace('b', { x: 'y' }))
  const second = assembleInventory(first, { ...changed, peerAuthentications: [{ ...policy, portModes: new Map() }] })
  assert.notEqual(second, first)
  assert.equal(second.namespaces[0], first.namespaces[0])
  assert.notEqual(second.namespaces[1], first.namespaces[1])
  assert.equal(second.peerAuthentications, first.peerAuthentications)
})

test('a policy whose port modes differ is another policy', () => {
  const policy = {
    apiVersion: 'security.istio.io/v1',
    namespace: 'a',
    name: 'p',
    mode: 'STRICT',
    portModes: new Map()
  } as const
  const first = assembleInventory(EMPTY_INVENTORY, { ...inventory(), peerAuthentications: [policy] })
  const portModes = new Map([[80, 'DISABLE' as const]])
  assert.notEqual(assembleInventory(first, { ...inventory(), peerAuthentications: [{ ...policy, portModes }] }), first)
})

test('lists are sorted and frozen, whatever the order in which objects come', () => {
  const { namespaces } = assembleInventory(EMPTY_INVENTORY, inventory(namespace('b'), namespace('a')))
  assert.deepEqual(
    namespaces.map(({ name }) => name),
    ['a', 'b']
  )
  assert.ok(Object.isFrozen(namespaces))
})

test('an object that is gone is a change', () => {
  const first = assembleInventory(EMPTY_INVENTORY, inventory(namespace('a')))
  assert.deepEqual(assembleInventory(first, inventory()).namespaces, [])
})
