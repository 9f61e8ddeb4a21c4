import { create } from '@bufbuild/protobuf'
import {
  GetPluginCapabilitiesResponseSchema,
  GetPluginInfoResponseSchema,
  Identity,
  ProbeResponseSchema
} from '../../shared/proto/gen/csi_pb.js'
import { type InjectedServer, serviceDefinition } from '../../shared/rpc/index.ts'
import { type HandlerContext, unaryHandler } from '../serving/index.ts'
import { DRIVER_NAME } from './names.ts'

/** CSI 1.13, "Identity Service RPC". There is no controller service, and volumes are the same on every node. */
export function addIdentityService(server: InjectedServer, version: string, context: HandlerContext): void {
  const info = create(GetPluginInfoResponseSchema, { name: DRIVER_NAME, vendorVersion: version })
  const capabilities = create(GetPluginCapabilitiesResponseSchema)
  const ready = create(ProbeResponseSchema, { ready: true })
  server.addService(serviceDefinition(Identity), {
    GetPluginInfo: unaryHandler('GetPluginInfo', () => info, context),
    GetPluginCapabilities: unaryHandler('GetPluginCapabilities', () => capabilities, context),
    Probe: unaryHandler('Probe', () => ready, context)
  })
}
