import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { typedStruct } from './index.ts'

describe('a configuration in JSON', () => {
  it('is written as xds.type.v3.TypedStruct: the type as field 1, the fields as field 2', () => {
    const fields = { key: 'a', list: [1, true, null, { inner: 'b' }] }
    const { typeUrl, value } = typedStruct('envoy.some.v3.Message', fields)
    assert.equal(typeUrl, 'type.googleapis.com/xds.type.v3.TypedStruct')
    const name = Buffer.from('type.googleapis.com/envoy.some.v3.Message')
    assert.deepEqual([...value.subarray(0, 2)], [0x0a, name.length])
    assert.deepEqual(Buffer.from(value.subarray(2, 2 + name.length)), name)
    const rest = value.subarray(2 + name.length)
    assert.deepEqual([...rest.subarray(0, 2)], [0x12, rest.length - 2])
  })

  it('may be empty', () => {
    assert.equal(typedStruct('envoy.some.v3.Empty', {}).value.at(-1), 0)
  })
})
