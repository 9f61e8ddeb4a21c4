import { create } from '@bufbuild/protobuf'
import type { ServerReadableStream, sendUnaryData } from '@grpc/grpc-js'
import { CountersignError } from '../../shared/errors/index.ts'
import {
  AccessLogService,
  type StreamAccessLogsMessage,
  type StreamAccessLogsResponse,
  StreamAccessLogsResponseSchema
} from '../../shared/proto/gen/envoy/service/accesslog/v3/als_pb.js'
import { InjectedServer, serviceDefinition, statusOf } from '../../shared/rpc/index.ts'

// Envoy opens one for each of its threads; a program that opens more is not one.
const MAX_STREAMS = 64

const POD = /^pod:(.+)$/

/** Adds AccessLogService to the server of the pods' sockets. `seen` hears the UID of the pod for each message. */
export function addAccessLogService(server: InjectedServer, seen: (podUid: string) => void): void {
  const streams = new Map<string, number>()
  server.addService(serviceDefinition(AccessLogService), {
    StreamAccessLogs(
      call: ServerReadableStream<StreamAccessLogsMessage, StreamAccessLogsResponse>,
      done: sendUnaryData<StreamAccessLogsResponse>
    ): void {
      const peer = InjectedServer.peerOf(call)
      const open = streams.get(peer) ?? 0
      const podUid = POD.exec(peer)?.[1]
      if (podUid === undefined || open >= MAX_STREAMS) {
        const message = `access logs of ${peer}: expected at most ${MAX_STREAMS} streams of a pod`
        done(statusOf(new CountersignError('ERR_DISCOVERY_UNAVAILABLE', message)))
        return
      }
      streams.set(peer, open + 1)
      let over = false
      const end = (): void => {
        if (over) return
        over = true
        const left = (streams.get(peer) ?? 1) - 1
        if (left === 0) streams.delete(peer)
        else streams.set(peer, left)
      }
      call.on('data', ({ logEntries }: StreamAccessLogsMessage) => {
        if (logEntries.case === 'httpLogs') seen(podUid)
      })
      call.on('end', () => {
        end()
        done(null, create(StreamAccessLogsResponseSchema))
      })
      call.on('error', end)
      call.on('cancelled', end)
      call.on('close', end)
    }
  })
}
