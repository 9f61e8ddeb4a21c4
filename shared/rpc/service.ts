import { type DescMessage, type DescMethod, type DescService, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'

const serialize =
  (schema: DescMessage) =>
  (message: never): Buffer => {
    const bytes = toBinary(schema, message)
    // A view of the same memory: the messages of discovery are large, and are written once.
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
const deserialize =
  (schema: DescMessage) =>
  (bytes: Buffer): object =>
    fromBinary(schema, bytes)

/** What grpc-js wants of a method, out of the generated descriptor. Messages are those of @bufbuild/protobuf. */
export function methodDefinition(method: DescMethod): MethodDefinition<never, object> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: serialize(method.input),
    requestDeserialize: deserialize(method.input) as () => never,
    responseSerialize: serialize(method.output) as (message: object) => Buffer,
    responseDeserialize: deserialize(method.output)
  }
}

/** The definition of a whole service. Method names keep their capital, as in the .proto file. */
export function serviceDefinition(service: DescService): ServiceDefinition {
  const methods = service.methods.map(method => [method.name, methodDefinition(method)] as const)
  return Object.fromEntries(methods) as unknown as ServiceDefinition
}
