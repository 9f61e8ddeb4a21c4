import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf'
import { typeUrlOf } from './resource.ts'

/** A type that a client subscribes to, and how its resources are read. */
export interface ResourceType<T> {
  readonly typeUrl: string
  /** Whatever it throws, the resource is refused: the server is told the message. */
  decode(value: Uint8Array, name: string): T
}

/** The resource type of a message; `check` throws when a message that can be read must not be used. */
export function resourceType<Schema extends DescMessage>(
  schema: Schema,
  check: (message: MessageShape<Schema>, name: string) => void = () => {}
): ResourceType<MessageShape<Schema>> {
  return {
    typeUrl: typeUrlOf(schema),
    decode(value, name) {
      const message = fromBinary(schema, value)
      check(message, name)
      return message
    }
  }
}
