import { create } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import type { ServerUnaryCall, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js'
import { CountersignError } from '../../shared/errors/index.ts'
import type { SpiffeId } from '../../shared/identity/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import {
  type IssueAgentRequest,
  type IssueResponse,
  IssueResponseSchema,
  type IssueWorkloadRequest
} from '../../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import { InjectedServer, statusOf } from '../../shared/rpc/index.ts'
import type { Issuer } from '../../shared/x509/index.ts'
import { Authorizer, type AuthorizerOptions } from './authorizer.ts'
import { parsePeer } from './caller.ts'
import { issue } from './issue.ts'
import type { Lifetimes } from './template.ts'

/** Counts what the authority does. Reasons are from a closed list, so they may be labels. */
export interface IssuanceMetrics {
  onIssued(kind: 'agent' | 'workload'): void
  onRefused(reason: string): void
}

export interface CertificateAuthorityOptions extends AuthorizerOptions {
  readonly log: Logger
  readonly issuer: { current(): Issuer }
  readonly lifetimes: Lifetimes
  readonly metrics: IssuanceMetrics
}

/** What one method does, beside what both do. */
interface Method<Request> {
  readonly kind: 'agent' | 'workload'
  readonly authorize: (request: Request, peer: string) => Promise<SpiffeId>
  readonly podOf: (request: Request) => string | undefined
  readonly lifetimeOf: (request: Request) => number | undefined
}

type Handler<Request> = (call: ServerUnaryCall<Request, IssueResponse>, answer: sendUnaryData<IssueResponse>) => void

/**
 * The service countersign.ca.v1.CertificateAuthority. Every answer is a certificate or one fixed sentence; why a
 * request is refused goes to the log. Connections must carry a peer that `parsePeer` knows.
 */
export function certificateAuthorityService(options: CertificateAuthorityOptions): UntypedServiceImplementation {
  const authorizer = new Authorizer(options)
  return {
    IssueAgent: handler<IssueAgentRequest>(options, {
      kind: 'agent',
      authorize: (request, peer) => authorizer.agent(request, peer),
      podOf: () => undefined,
      lifetimeOf: () => undefined
    }),
    IssueWorkload: handler<IssueWorkloadRequest>(options, {
      kind: 'workload',
      authorize: (request, peer) => authorizer.workload(request, peer),
      podOf: ({ podUid }) => podUid,
      lifetimeOf: ({ lifetime }) => milliseconds(lifetime)
    })
  }
}

function handler<Request extends IssueAgentRequest | IssueWorkloadRequest>(
  options: CertificateAuthorityOptions,
  method: Method<Request>
): Handler<Request> {
  const { clock, issuer, lifetimes, metrics } = options
  const log = options.log.child({ room: 'issuance' })

  const respond = async (request: Request, peer: string, facts: object): Promise<IssueResponse> => {
    const spiffeId = await method.authorize(request, peer)
    const order = { csr: request.csr, spiffeId, lifetimeMs: method.lifetimeOf(request) }
    const { certificate, chain } = issue(order, lifetimes, issuer.current(), clock.now())
    metrics.onIssued(method.kind)
    const notAfter = new Date(certificate.notAfter).toISOString()
    log.info(
      { ...facts, spiffeId: spiffeId.toString(), serial: certificate.serialNumber, notAfter },
      'certificate issued'
    )
    return create(IssueResponseSchema, { certificateChain: chain.map(({ der }) => der) })
  }

  return (call, answer) => {
    const peer = InjectedServer.peerOf(call)
    const facts = { kind: method.kind, node: nodeOf(peer), pod: shortened(method.podOf(call.request)) }
    respond(call.request, peer, facts).then(
      response => answer(null, response),
      (thrown: unknown) => {
        const error = CountersignError.from(thrown)
        const reason = reasonOf(error)
        metrics.onRefused(reason)
        if (reason === error.code) log.error({ ...facts, reason, err: error }, 'certificate not issued')
        else log.warn({ ...facts, reason, err: error }, 'certificate refused')
        answer(statusOf(error))
      }
    )
  }
}

/** A refusal has a reason; anything else is a fault of the authority, and has its code. */
function reasonOf({ code, facts }: CountersignError): string {
  const reason = facts['reason']
  return typeof reason === 'string' ? reason : code
}

function nodeOf(peer: string): string | undefined {
  const caller = parsePeer(peer)
  return caller?.kind === 'agent' ? caller.node : undefined
}

/** A UID of Kubernetes has 36 characters; what an agent sends may have more. */
function shortened(podUid: string | undefined): string | undefined {
  return podUid?.slice(0, 64)
}

/** Absent and zero mean the same: no wish. */
function milliseconds(duration: Duration | undefined): number | undefined {
  const total = Number(duration?.seconds ?? 0n) * 1_000 + (duration?.nanos ?? 0) / 1_000_000
  return total === 0 ? undefined : total
}
