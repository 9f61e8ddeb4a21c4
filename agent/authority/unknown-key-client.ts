import { create } from '@bufbuild/protobuf'
import type { Client } from '@grpc/grpc-js'
import { CountersignError } from '../../shared/errors/index.ts'
import { EndUserKeys, ReportUnknownKeyRequestSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { unaryCall } from '../../shared/rpc/index.ts'
import { CALL_TIMEOUT_MS } from './authority-client.ts'

/**
 * Tells the authority that a pod's proxy has seen a token that none of its keys fits: the very replica that this agent
 * has its mesh state from, for another one would fetch keys and tell other agents of them.
 */
export class UnknownKeyClient {
  readonly #streamClient: () => Client | undefined
  readonly #closed = new AbortController()

  /** @param streamClient - the client of the stream of mesh state; undefined while there is none */
  constructor(streamClient: () => Client | undefined) {
    this.#streamClient = streamClient
  }

  /** @throws CountersignError ERR_AUTHORITY_REFUSED, ERR_AUTHORITY_UNAVAILABLE */
  async report(podUid: string): Promise<void> {
    const client = this.#streamClient()
    if (client === undefined)
      throw new CountersignError('ERR_AUTHORITY_UNAVAILABLE', 'there is no stream of mesh state')
    const message = create(ReportUnknownKeyRequestSchema, { podUid })
    const { signal } = this.#closed
    await unaryCall(client, EndUserKeys.method.reportUnknownKey, message, { timeoutMs: CALL_TIMEOUT_MS, signal })
  }

  close(): void {
    this.#closed.abort()
  }
}
