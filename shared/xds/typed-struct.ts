import { create, createFileRegistry, type DescMessage, type JsonObject } from '@bufbuild/protobuf'
import {
  type Any,
  anyPack,
  FileDescriptorProtoSchema,
  file_google_protobuf_struct,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type
} from '@bufbuild/protobuf/wkt'

const NAME = 'xds.type.v3.TypedStruct'

/** As it stands in xds/type/v3/typed_struct.proto. */
const registry = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: 'xds/type/v3/typed_struct.proto',
    package: 'xds.type.v3',
    syntax: 'proto3',
    dependency: ['google/protobuf/struct.proto'],
    messageType: [
      {
        name: 'TypedStruct',
        field: [
          { name: 'type_url', number: 1, type: Type.STRING, label: Label.OPTIONAL, jsonName: 'typeUrl' },
          {
            name: 'value',
            number: 2,
            type: Type.MESSAGE,
            label: Label.OPTIONAL,
            typeName: '.google.protobuf.Struct',
            jsonName: 'value'
          }
        ]
      }
    ]
  }),
  () => file_google_protobuf_struct
)

export const TypedStructSchema: DescMessage = typedStructIn(registry.getMessage(NAME))

function typedStructIn(schema: DescMessage | undefined): DescMessage {
  if (schema === undefined) throw new TypeError(`${NAME} is not in its own file`)
  return schema
}

/**
 * The configuration of an extension in the JSON form of protobuf, for a message that no generated code is there for.
 * Envoy takes it wherever it takes the message itself, and refuses what that has no field for.
 *
 * Source: xds.type.v3.TypedStruct; Envoy, configuration/overview/extension.
 */
export const typedStruct = (typeName: string, value: JsonObject): Any =>
  anyPack(TypedStructSchema, create(TypedStructSchema, { typeUrl: `type.googleapis.com/${typeName}`, value }))
