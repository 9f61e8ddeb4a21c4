// A real gRPC service with all four kinds of method, out of descriptors that are there anyway.

import { create } from '@bufbuild/protobuf'
import { Client, credentials, type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import {
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { SecretDiscoveryService } from '../proto/gen/envoy/service/secret/v3/sds_pb.js'
import { InjectedServer, serviceDefinition } from './index.ts'

type Stream = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>

/** Answers every request with the name of the peer that it came from. */
export function addEchoService(server: InjectedServer, onStream: (stream: Stream) => void = () => {}): void {
  const answer = (call: { getPeer(): string }): DiscoveryResponse =>
    create(DiscoveryResponseSchema, { versionInfo: InjectedServer.peerOf(call) })
  server.addService(serviceDefinition(SecretDiscoveryService), {
    FetchSecrets(call: ServerUnaryCall<DiscoveryRequest, DiscoveryResponse>, done: sendUnaryData<DiscoveryResponse>) {
      done(null, answer(call))
    },
    StreamSecrets(call: Stream) {
      const peer = answer(call)
      call.on('data', () => call.write(peer))
      call.on('end', () => call.end())
      onStream(call)
    }
  })
}

export const { fetchSecrets: FETCH, streamSecrets: STREAM } = SecretDiscoveryService.method

export function unixClient(path: string): Client {
  return new Client(`unix:${path}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
}
