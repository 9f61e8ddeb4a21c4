import { create } from '@bufbuild/protobuf'
import {
  type ApplyRequest,
  type ApplyResponse,
  ApplyResponseSchema,
  Capture
} from '../../shared/proto/gen/countersign/node/v1/capture_pb.js'
import { type InjectedServer, serviceDefinition } from '../../shared/rpc/index.ts'
import { type HandlerContext, unaryHandler } from '../serving/index.ts'
import { readApplyRequest } from './apply-request.ts'
import type { PodCapture } from './pod-capture.ts'
import { PROXY } from './ruleset.ts'

/** shared/proto/countersign/node/v1/capture.proto. */
export function addCaptureService(
  server: InjectedServer,
  capture: Pick<PodCapture, 'apply'>,
  context: HandlerContext
): void {
  const apply = async (request: ApplyRequest): Promise<ApplyResponse> => {
    const { podUid, exclusions } = readApplyRequest(request)
    await capture.apply(podUid, exclusions)
    return create(ApplyResponseSchema, { deliveryAddresses: Object.values(PROXY.deliverySource) })
  }
  server.addService(serviceDefinition(Capture), { Apply: unaryHandler('Apply', apply, context) })
}
