import { create } from '@bufbuild/protobuf'
import { CountersignError } from '../../shared/errors/index.ts'
import {
  Node,
  NodeGetCapabilitiesResponseSchema,
  NodeGetInfoResponseSchema,
  type NodePublishVolumeRequest,
  type NodePublishVolumeResponse,
  NodePublishVolumeResponseSchema,
  type NodeUnpublishVolumeRequest,
  type NodeUnpublishVolumeResponse,
  NodeUnpublishVolumeResponseSchema
} from '../../shared/proto/gen/csi_pb.js'
import { type InjectedServer, serviceDefinition } from '../../shared/rpc/index.ts'
import { type HandlerContext, unaryHandler } from '../serving/index.ts'
import { type PublishSettings, readPublishRequest } from './publish-request.ts'
import type { PublishedVolumes } from './published-volumes.ts'

export interface NodeServiceOptions {
  /** Name of the node, as Kubernetes knows it. */
  readonly nodeName: string
  readonly settings: PublishSettings
  readonly volumes: PublishedVolumes
  readonly context: HandlerContext
}

/** CSI 1.13, "Node Service RPC"; what is not here is UNIMPLEMENTED: there is nothing to stage, expand or measure. */
export function addNodeService(server: InjectedServer, options: NodeServiceOptions): void {
  const { nodeName, volumes, context } = options
  const info = create(NodeGetInfoResponseSchema, { nodeId: nodeName })
  const capabilities = create(NodeGetCapabilitiesResponseSchema)
  const unpublish = ({ volumeId, targetPath }: NodeUnpublishVolumeRequest): NodeUnpublishVolumeResponse => {
    volumes.unpublish(volumeId, targetPath)
    return create(NodeUnpublishVolumeResponseSchema)
  }
  server.addService(serviceDefinition(Node), {
    NodeGetInfo: unaryHandler('NodeGetInfo', () => info, context),
    NodeGetCapabilities: unaryHandler('NodeGetCapabilities', () => capabilities, context),
    NodePublishVolume: unaryHandler(
      'NodePublishVolume',
      (request: NodePublishVolumeRequest) => publish(request, options),
      context
    ),
    NodeUnpublishVolume: unaryHandler('NodeUnpublishVolume', unpublish, context)
  })
}

function publish(
  request: NodePublishVolumeRequest,
  { settings, volumes }: NodeServiceOptions
): NodePublishVolumeResponse {
  try {
    volumes.publish(readPublishRequest(request, settings))
    return create(NodePublishVolumeResponseSchema)
  } catch (thrown) {
    const error = CountersignError.from(thrown)
    if (error.code !== 'ERR_VOLUME_REFUSED' || !volumes.isKnown(request.volumeId, request.targetPath)) throw error
    throw new CountersignError('ERR_VOLUME_UNAVAILABLE', error.message, { facts: error.facts })
  }
}
