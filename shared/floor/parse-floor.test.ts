import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Floor, floorOf, NO_FLOOR, parseFloor } from './index.ts'

function parsed(text: string): Floor {
  const result = parseFloor(text)
  assert.ok(result.ok, JSON.stringify(result))
  return result.floor
}

const NONE = { mutualTls: false, injection: false, endUserChecks: false }

describe('a floor', () => {
  it('holds for the mesh and for single namespaces, which add to it', () => {
    const floor = parsed(`
mesh: { mutualTls: true }
namespaces:
  shop: { injection: true, endUserChecks: true }
  bank: { mutualTls: true, injection: false }
`)
    assert.deepEqual(floorOf(floor, 'shop'), { mutualTls: true, injection: true, endUserChecks: true })
    assert.deepEqual(floorOf(floor, 'bank'), { ...NONE, mutualTls: true })
    assert.deepEqual(floorOf(floor, 'elsewhere'), { ...NONE, mutualTls: true })
  })

  it('is the same from JSON', () => {
    const floor = parsed('{"mesh":{"injection":true},"namespaces":{"shop":{"mutualTls":true}}}')
    assert.deepEqual(floorOf(floor, 'shop'), { ...NONE, mutualTls: true, injection: true })
  })

  for (const text of ['{}', 'mesh: {}', 'namespaces: {}', 'namespaces: { shop: {} }'])
    it(`says nothing where it has no rule: ${text}`, () => assert.deepEqual(floorOf(parsed(text), 'shop'), NONE))

  it('says nothing where there is none', () => assert.deepEqual(floorOf(NO_FLOOR, 'shop'), NONE))

  it('gives no rule by the name of an inherited property', () => {
    const floor = parsed('namespaces: { constructor: { mutualTls: true } }')
    assert.deepEqual([floorOf(floor, 'tostring'), floorOf(floor, '__proto__')], [NONE, NONE])
  })

  const wrong: Readonly<Record<string, readonly string[]>> = {
    '': ['the file: expected a mapping with mesh and namespaces, got null'],
    '[]': ['the file: expected a mapping with mesh and namespaces, got []'],
    true: ['the file: expected a mapping with mesh and namespaces, got true'],
    'mesh: true': ['mesh: expected a mapping with mutualTls, injection, endUserChecks, got true'],
    'mesh:': ['mesh: expected a mapping with mutualTls, injection, endUserChecks, got null'],
    'mesh: { mutualTls: yes }': ['mesh.mutualTls: expected true or false, got "yes"'],
    'mesh: { mutualTls: "true" }': ['mesh.mutualTls: expected true or false, got "true"'],
    'mesh: { mutualTls: 1 }': ['mesh.mutualTls: expected true or false, got 1'],
    'mesh: { mutualTls: }': ['mesh.mutualTls: expected true or false, got null'],
    'mesh: { mutualTLS: true }': [
      'mesh.mutualTLS: unknown field; did you mean "mutualTls"; known are mutualTls, injection, endUserChecks'
    ],
    'floor: { mesh: {} }': ['floor: not here, only in values of the chart: begin with mesh or namespaces'],
    'namespace: { shop: {} }': ['namespace: unknown field; did you mean "namespaces"; known are mesh, namespaces'],
    'namespaces: [shop]': ['namespaces: expected a mapping by names of namespaces, got ["shop"]'],
    'namespaces: { shop: true }': [
      'namespaces.shop: expected a mapping with mutualTls, injection, endUserChecks, got true'
    ],
    'namespaces: { shop: { strict: true } }': [
      'namespaces.shop.strict: unknown field; known are mutualTls, injection, endUserChecks'
    ],
    'namespaces: { shop: { injection: "" } }': ['namespaces.shop.injection: expected true or false, got ""'],
    'namespaces: { "*": { injection: true } }': ['namespaces: expected names of namespaces, got "*"'],
    'namespaces: { Shop: { injection: true } }': ['namespaces: expected names of namespaces, got "Shop"'],
    'mesh: { injection: true }\nnamespaces: { shop: { injection: false } }': [
      'namespaces.shop.injection: expected true or nothing, got false: mesh.injection is true'
    ],
    'mesh: { a: 1, b: 2 }': [
      'mesh.a: unknown field; known are mutualTls, injection, endUserChecks',
      'mesh.b: unknown field; known are mutualTls, injection, endUserChecks'
    ]
  }
  for (const [text, problems] of Object.entries(wrong))
    it(`is refused, and says why: ${JSON.stringify(text)}`, () => {
      const result = parseFloor(text)
      assert.deepEqual(result, { ok: false, problems })
    })

  // A text that could be read in two ways is read in none.
  for (const text of [
    'mesh: { injection: true, injection: false }',
    'mesh: {}\nmesh: { injection: true }',
    'namespaces: { shop: &a { injection: true }, bank: *a }',
    'mesh: { injection: true',
    '---\nmesh: {}\n---\nmesh: {}'
  ])
    it(`is refused where it is not plain YAML: ${JSON.stringify(text)}`, () => {
      const result = parseFloor(text)
      assert.ok(!result.ok)
      assert.match(result.problems[0] ?? '', /^not YAML: ./)
    })
})
