// The authority's services as whoever holds some credentials can call them: nothing is checked on this side.

import { X509Certificate } from 'node:crypto'
import { create, type DescMessage, type DescMethodUnary, type MessageShape } from '@bufbuild/protobuf'
import type { Client, ServiceError } from '@grpc/grpc-js'
import {
  CertificateAuthority,
  type IssueResponse,
  IssueWorkloadRequestSchema
} from '../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import { connectTls, methodDefinition } from '../shared/rpc/index.ts'
import { type KeyPair, privateKeyToPem } from '../shared/x509/index.ts'

const DEADLINE_MS = 10_000

export interface HeldIdentity {
  readonly privateKey: KeyPair['privateKey']
  /** DER, the leaf first. */
  readonly chain: readonly Uint8Array[]
}

/** A connection over TLS; who answers is not compared with anything. */
export function connectToAuthority(address: string, roots: string, identity?: HeldIdentity): Client {
  const pem = (der: Uint8Array): string => new X509Certificate(der).toString()
  return connectTls({
    address,
    roots,
    identity: identity && { key: privateKeyToPem(identity.privateKey), cert: identity.chain.map(pem).join('') },
    verifyServer: () => {}
  })
}

/** @throws ServiceError as the authority answered */
export function callAuthority<Input extends DescMessage>(
  client: Client,
  method: DescMethodUnary<Input, DescMessage>,
  request: MessageShape<Input>
): Promise<IssueResponse> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method)
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize as (message: unknown) => Buffer,
      responseDeserialize as (bytes: Buffer) => IssueResponse,
      request,
      { deadline: Date.now() + DEADLINE_MS },
      (error: ServiceError | null, response?: IssueResponse) => {
        if (error !== null || response === undefined) reject(error)
        else resolve(response)
      }
    )
  })
}

/** Asks for a pod's certificate by its token. */
export function issueWithToken(from: Client, podUid: string, csr: Uint8Array, token: string): Promise<IssueResponse> {
  const request = create(IssueWorkloadRequestSchema, { csr, podUid, proof: { case: 'token', value: token } })
  return callAuthority(from, CertificateAuthority.method.issueWorkload, request)
}

/** Asks for a pod's certificate by a proof of its current key. */
export function issueWithProof(
  from: Client,
  podUid: string,
  csr: Uint8Array,
  chain: readonly Uint8Array[],
  signature: Uint8Array
): Promise<IssueResponse> {
  const renewal = { certificateChain: [...chain], signature }
  const request = create(IssueWorkloadRequestSchema, { csr, podUid, proof: { case: 'renewal', value: renewal } })
  return callAuthority(from, CertificateAuthority.method.issueWorkload, request)
}
