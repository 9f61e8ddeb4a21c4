import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  DeltaDiscoveryRequestSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { SecretDiscoveryService } from '../proto/gen/envoy/service/secret/v3/sds_pb.js'
import { methodDefinition, serviceDefinition } from './index.ts'

describe('a service definition', () => {
  const definition = serviceDefinition(SecretDiscoveryService)

  it('has the path and the kind of every method', () => {
    const kinds = Object.entries(definition).map(([name, { path, requestStream, responseStream }]) => [
      name,
      path,
      requestStream,
      responseStream
    ])
    const prefix = '/envoy.service.secret.v3.SecretDiscoveryService'
    assert.deepEqual(kinds, [
      ['DeltaSecrets', `${prefix}/DeltaSecrets`, true, true],
      ['StreamSecrets', `${prefix}/StreamSecrets`, true, true],
      ['FetchSecrets', `${prefix}/FetchSecrets`, false, false]
    ])
  })

  it('carries messages over and back', () => {
    const method = methodDefinition(SecretDiscoveryService.method.fetchSecrets)
    const request = create(DiscoveryRequestSchema, { resourceNames: ['default', 'ROOTCA'], versionInfo: '7' })
    const bytes = method.requestSerialize(request as never)
    assert.ok(Buffer.isBuffer(bytes))
    const back = method.requestDeserialize(bytes) as unknown as DiscoveryRequest
    assert.deepEqual(back.resourceNames, ['default', 'ROOTCA'])
    assert.equal(back.versionInfo, '7')
  })

  it('refuses bytes that are not the message', () => {
    const method = methodDefinition(SecretDiscoveryService.method.fetchSecrets)
    assert.throws(() => method.requestDeserialize(Buffer.from([0xff, 0xff, 0xff])))
  })

  it('gives each method its own messages', () => {
    const method = methodDefinition(SecretDiscoveryService.method.deltaSecrets)
    const bytes = method.requestSerialize(
      create(DeltaDiscoveryRequestSchema, { initialResourceVersions: { default: '1' } }) as never
    )
    const back = method.requestDeserialize(bytes) as unknown as { initialResourceVersions: Record<string, string> }
    assert.deepEqual({ ...back.initialResourceVersions }, { default: '1' })
  })
})
