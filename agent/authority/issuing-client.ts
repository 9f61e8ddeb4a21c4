import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import {
  CertificateAuthority,
  type IssueResponse,
  IssueWorkloadRequestSchema
} from '../../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import { unaryCall } from '../../shared/rpc/index.ts'
import { type Certificate, parseCertificate } from '../../shared/x509/index.ts'
import type { IssuingPort, IssuingProof, IssuingRequest } from '../workload/index.ts'
import type { AuthorityChannel } from './authority-channel.ts'
import { CALL_TIMEOUT_MS } from './authority-client.ts'

/** Has the certificates of pods signed by the authority. */
export class IssuingClient implements IssuingPort {
  readonly #channel: Pick<AuthorityChannel, 'client'>

  constructor(channel: Pick<AuthorityChannel, 'client'>) {
    this.#channel = channel
  }

  /**
   * @throws CountersignError ERR_AUTHORITY_REFUSED, ERR_AUTHORITY_UNAVAILABLE, ERR_CERTIFICATE_INVALID when the answer
   *   cannot be parsed
   */
  async issue(request: IssuingRequest, signal: AbortSignal): Promise<readonly Certificate[]> {
    const client = await this.#channel.client(signal)
    const message = create(IssueWorkloadRequestSchema, {
      csr: request.csr,
      podUid: request.podUid,
      proof: proofOf(request.proof),
      ...(request.lifetimeMs === undefined ? {} : { lifetime: durationFromMs(request.lifetimeMs) })
    })
    const options = { timeoutMs: CALL_TIMEOUT_MS, signal }
    return chainOf(await unaryCall(client, CertificateAuthority.method.issueWorkload, message, options))
  }
}

/** @throws CountersignError ERR_CERTIFICATE_INVALID */
export function chainOf({ certificateChain }: IssueResponse): readonly Certificate[] {
  return certificateChain.map(parseCertificate)
}

type Proof = NonNullable<MessageInitShape<typeof IssueWorkloadRequestSchema>['proof']>

function proofOf(proof: IssuingProof): Proof {
  switch (proof.kind) {
    case 'token':
      return { case: 'token', value: proof.token.reveal() }
    case 'renewal':
      return {
        case: 'renewal',
        value: { certificateChain: proof.chain.map(({ der }) => der), signature: proof.signature }
      }
  }
}
