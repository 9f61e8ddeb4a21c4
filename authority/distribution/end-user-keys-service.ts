import { create } from '@bufbuild/protobuf'
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import {
  EndUserKeys,
  type ReportUnknownKeyRequest,
  type ReportUnknownKeyResponse,
  ReportUnknownKeyResponseSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { InjectedServer, serviceDefinition, statusOf } from '../../shared/rpc/index.ts'
import { agentNodeOf } from './agent-node.ts'

export interface EndUserKeysOptions {
  /** Names of the key sets that a pod's tokens are verified with; none when no such pod is on that node. */
  readonly keySetsOf: (node: string, podUid: string) => readonly string[]
  /** Has newer keys fetched, if that may be done now. */
  readonly unknownKey: (keySet: string) => void
  readonly log: Logger
}

/**
 * Adds EndUserKeys to the authority's server. An agent speaks for the pods of its node alone; about others it is
 * answered alike and nothing is done.
 */
export function addEndUserKeysService(server: InjectedServer, options: EndUserKeysOptions): void {
  const log = options.log.child({ room: 'distribution' })
  server.addService(serviceDefinition(EndUserKeys), {
    ReportUnknownKey(
      call: ServerUnaryCall<ReportUnknownKeyRequest, ReportUnknownKeyResponse>,
      answer: sendUnaryData<ReportUnknownKeyResponse>
    ): void {
      const peer = InjectedServer.peerOf(call)
      const node = agentNodeOf(peer)
      if (node === undefined) {
        const error = new CountersignError('ERR_CALLER_REFUSED', `peer ${JSON.stringify(peer)} is not an agent`)
        log.warn({ err: error }, 'an unknown key was not reported by an agent')
        answer(statusOf(error))
        return
      }
      const keySets = options.keySetsOf(node, call.request.podUid)
      log.debug({ node, pod: call.request.podUid.slice(0, 64), keySets }, 'a token with an unknown key was seen')
      for (const keySet of keySets) options.unknownKey(keySet)
      answer(null, create(ReportUnknownKeyResponseSchema))
    }
  })
}
