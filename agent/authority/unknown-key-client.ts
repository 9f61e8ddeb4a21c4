import { create } from '@bufbuild/protobuf'
import { EndUserKeys, ReportUnknownKeyRequestSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { unaryCall } from '../../shared/rpc/index.ts'
import type { AuthorityChannel } from './authority-channel.ts'
import { CALL_TIMEOUT_MS } from './authority-client.ts'

/** Tells the authority that a pod's proxy has seen a token that none of its keys fits. */
export class UnknownKeyClient {
  readonly #channel: Pick<AuthorityChannel, 'client'>
  readonly #closed = new AbortController()

  constructor(channel: Pick<AuthorityChannel, 'client'>) {
    this.#channel = channel
  }

  /** @throws CountersignError ERR_AUTHORITY_REFUSED, ERR_AUTHORITY_UNAVAILABLE */
  async report(podUid: string): Promise<void> {
    const { signal } = this.#closed
    const client = await this.#channel.client(signal)
    const message = create(ReportUnknownKeyRequestSchema, { podUid })
    await unaryCall(client, EndUserKeys.method.reportUnknownKey, message, { timeoutMs: CALL_TIMEOUT_MS, signal })
  }

  close(): void {
    this.#closed.abort()
  }
}
