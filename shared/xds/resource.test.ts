import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { MeshSchema, ServiceSchema } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'
import { SecretSchema } from '../proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { createResource, packResources, resourceMap, resourceType, TYPE, typeUrlOf, unpackResources } from './index.ts'

describe('a resource', () => {
  it('carries its message, encoded, and its type', () => {
    const resource = createResource(MeshSchema, 'mesh', { trustDomain: 'mesh.test' })
    assert.equal(resource.typeUrl, 'type.googleapis.com/countersign.mesh.v1.Mesh')
    assert.equal(fromBinary(MeshSchema, resource.value).trustDomain, 'mesh.test')
  })

  it('has a version that follows from its content alone', () => {
    const one = createResource(MeshSchema, 'mesh', { trustDomain: 'mesh.test' })
    const same = createResource(MeshSchema, 'other name', { trustDomain: 'mesh.test' })
    const other = createResource(MeshSchema, 'mesh', { trustDomain: 'mesh.tests' })
    assert.match(one.version, /^[0-9a-f]{16}$/)
    assert.equal(same.version, one.version)
    assert.notEqual(other.version, one.version)
  })

  it('has a type URL that Envoy knows', () => {
    assert.equal(typeUrlOf(SecretSchema), TYPE.secret)
  })

  it('cannot be lost because another has its name', () => {
    const one = createResource(MeshSchema, 'mesh', {})
    assert.throws(() => resourceMap([one, one]), TypeError)
  })
})

describe('a resource type', () => {
  const type = resourceType(ServiceSchema, ({ namespace, name }, key) => {
    if (key !== `${namespace}/${name}`) throw new Error(`name is ${namespace}/${name}`)
  })
  const { value } = createResource(ServiceSchema, 'shop/cart', { namespace: 'shop', name: 'cart' })

  it('reads what is well formed and passes its check', () => {
    assert.equal(type.decode(value, 'shop/cart').name, 'cart')
  })

  it('refuses what is not well formed', () => {
    assert.throws(() => type.decode(Buffer.from([0xff]), 'shop/cart'))
  })

  it('refuses what does not pass its check', () => {
    assert.throws(() => type.decode(value, 'shop/till'), /name is shop\/cart/)
  })
})

describe('packed resources', () => {
  const mesh = createResource(MeshSchema, 'mesh', { trustDomain: 'mesh.test' })
  const service = createResource(ServiceSchema, 'shop/cart', { name: 'cart' })

  it('come back as they were', () => {
    const types = new Map([mesh, service].map(resource => [resource.typeUrl, resourceMap([resource])]))
    const back = unpackResources(packResources({ types }))
    assert.deepEqual(back, [mesh, service])
  })

  for (const [what, bytes] of [
    ['that are cut off', packResources({ types: new Map([[mesh.typeUrl, resourceMap([mesh])]]) }).subarray(0, 20)],
    ['that are something else', Buffer.from('{"not": "protobuf"}')],
    ['without a name', packResources({ types: new Map([[mesh.typeUrl, resourceMap([{ ...mesh, name: '' }])]]) })]
  ] as const) {
    it(`are refused when they are bytes ${what}`, () => {
      assert.throws(() => unpackResources(bytes))
    })
  }
})
