import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf'
import { BootstrapSchema } from '../proto/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import { HttpProtocolOptionsSchema } from '../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { type BootstrapOptions, createBootstrap, podBootstrap } from './index.ts'

const options: BootstrapOptions = {
  nodeId: 'uid',
  nodeCluster: 'shop/orders-0',
  socketPath: '/run/countersign/agent.sock'
}

/** Every object in a JSON value. */
function* objectsIn(value: unknown): Generator<Record<string, unknown>> {
  if (value === null || typeof value !== 'object') return
  if (!Array.isArray(value)) yield value as Record<string, unknown>
  for (const inner of Object.values(value)) yield* objectsIn(inner)
}

const withKey = (key: string, value: unknown): Record<string, unknown>[] =>
  [...objectsIn(value)].filter(object => key in object)

describe('the bootstrap file', () => {
  it('holds no field that Envoy does not know', () => {
    const registry = createRegistry(HttpProtocolOptionsSchema)
    // Extensions have messages of their own; Envoy itself is asked in test/envoy.
    const { bootstrapExtensions, ...bootstrap } = createBootstrap(options) as { bootstrapExtensions: object[] }
    assert.deepEqual(
      bootstrapExtensions.map(extension => Object.keys(extension)),
      [['name', 'typedConfig']]
    )
    fromJson(BootstrapSchema, bootstrap as JsonValue, { registry })
  })

  it('of a pod names the socket where the pod sees it', () => {
    const written = JSON.parse(podBootstrap({ uid: 'uid', namespace: 'shop', name: 'orders-0' }))
    assert.deepEqual(written, createBootstrap(options))
  })

  it('says who the proxy is, and where the agent', () => {
    const bootstrap = createBootstrap(options)
    assert.deepEqual((bootstrap as { node: object }).node, { id: 'uid', cluster: 'shop/orders-0' })
    assert.ok(withKey('pipe', bootstrap).some(({ pipe }) => (pipe as { path: string }).path === options.socketPath))
  })

  it('waits for the agent without an end, for listeners and clusters', () => {
    const sources = withKey('ads', createBootstrap(options))
    assert.equal(sources.length, 2)
    for (const source of sources) assert.equal(source['initialFetchTimeout'], '0s')
  })

  it('asks over delta xDS, and again within a second when the agent was away', () => {
    const [ads] = withKey('apiType', createBootstrap(options))
    assert.equal(ads?.['apiType'], 'DELTA_GRPC')
    assert.deepEqual(
      withKey('retryBackOff', ads).map(({ retryBackOff }) => retryBackOff),
      [{ baseInterval: '0.200s', maxInterval: '1s' }]
    )
  })

  it('opens no TCP port', () => {
    assert.deepEqual(withKey('socketAddress', createBootstrap(options)), [])
  })

  it('serves administrators on an abstract socket, or on the file that is named', () => {
    const pathOf = (bootstrap: unknown): unknown =>
      (bootstrap as { admin: { address: { pipe: { path: string } } } }).admin.address.pipe.path
    assert.equal(pathOf(createBootstrap(options)), '@countersign-admin')
    assert.equal(pathOf(createBootstrap({ ...options, adminSocket: '/tmp/admin.sock' })), '/tmp/admin.sock')
  })

  it('takes a path of 107 bytes', () => {
    createBootstrap({ ...options, socketPath: `/${'x'.repeat(106)}` })
  })

  for (const [what, wrong] of Object.entries<Partial<BootstrapOptions>>({
    'a path of 108 bytes': { socketPath: `/${'x'.repeat(107)}` },
    'a path whose characters are fewer than its bytes': { socketPath: `/${'ä'.repeat(60)}` },
    'an admin socket of 108 bytes': { adminSocket: `/${'x'.repeat(107)}` }
  }))
    it(`is refused for ${what}`, () => {
      assert.throws(() => createBootstrap({ ...options, ...wrong }), {
        code: 'ERR_ADDRESS_UNUSABLE',
        message: /socket .* has \d+ bytes: expected at most 107$/
      })
    })
})
