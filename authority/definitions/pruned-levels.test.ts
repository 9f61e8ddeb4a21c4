import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prunedLevels } from './index.ts'

const KEEPS = { 'x-kubernetes-preserve-unknown-fields': true }
const level = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
const definition = (...schemas: readonly unknown[]) => ({
  spec: {
    versions: schemas.map((openAPIV3Schema, index) => ({
      name: `v${index + 1}`,
      served: true,
      schema: { openAPIV3Schema }
    }))
  }
})

describe('the levels of a definition that drop unknown fields', () => {
  it('are none where every one keeps them', () => {
    const schema = level(
      {
        metadata: level({}),
        status: level({ conditions: { type: 'array', items: level({}) } }),
        spec: level(
          {
            selector: level({ matchLabels: { type: 'object', additionalProperties: { type: 'string' } } }, KEEPS),
            rules: { type: 'array', items: level({ issuer: { type: 'string' } }, KEEPS) },
            ports: { type: 'object', additionalProperties: level({ mode: { type: 'string' } }, KEEPS) }
          },
          KEEPS
        )
      },
      KEEPS
    )
    assert.deepEqual(prunedLevels(definition(schema)), [])
  })

  it('are named one by one, in every version that is served', () => {
    const schema = level({
      spec: level({
        selector: level({}, KEEPS),
        rules: { type: 'array', items: level({ from: { type: 'array', items: level({}) } }, KEEPS) },
        ports: { type: 'object', additionalProperties: level({}) }
      })
    })
    const expected = ['the object itself', 'spec', 'spec.rules[].from[]', 'spec.ports.*']
    assert.deepEqual(
      prunedLevels(definition(level({}, KEEPS), schema)),
      expected.map(path => `v2: ${path}`)
    )
  })

  it('do not count in a version that is not served', () => {
    const { spec } = definition(level({}, KEEPS), level({}))
    const [first, second] = spec.versions
    assert.deepEqual(prunedLevels({ spec: { versions: [first, { ...second, served: false }] } }), [])
  })

  it('keep nothing by a flag that is not true', () => {
    for (const flag of [false, 'true', 1, null])
      assert.equal(prunedLevels(definition(level({}, { 'x-kubernetes-preserve-unknown-fields': flag }))).length, 1)
  })

  for (const malformed of [undefined, null, 'x', {}, { spec: {} }, { spec: { versions: 'v1' } }, definition(undefined)])
    it(`are not known of ${JSON.stringify(malformed)}, and so it keeps nothing`, () =>
      assert.equal(prunedLevels(malformed).length, 1))
})
