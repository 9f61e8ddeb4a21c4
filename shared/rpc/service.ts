import { type DescMessage, type DescService, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'

const serialize = (schema: DescMessage) => (message: never): Buffer => Buffer.from(toBinary(schema, message))
const deserialize = (schema: DescMessage) => (bytes: Buffer): object => fromBinary(schema, bytes)

/**
 * The definition that grpc-js wants of a service, out of the generated descriptor. Method names keep their capital,
 * as in the .proto file; messages are those of @bufbuild/protobuf.
 */
export function serviceDefinition(service: DescService): ServiceDefinition {
  const methods = service.methods.map((method): [string, MethodDefinition<never, object>] => [
    method.name,
    {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      requestSerialize: serialize(method.input),
      requestDeserialize: deserialize(method.input) as () => never,
      responseSerialize: serialize(method.output) as (message: object) => Buffer,
      responseDeserialize: deserialize(method.output)
    } as MethodDefinition<never, object>
  ])
  return Object.fromEntries(methods) as unknown as ServiceDefinition
}
