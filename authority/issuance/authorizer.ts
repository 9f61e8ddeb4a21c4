import type { Clock } from '../../shared/clock/index.ts'
import type { SpiffeId, TrustDomain } from '../../shared/identity/index.ts'
import { Sensitive } from '../../shared/log/index.ts'
import type {
  IssueAgentRequest,
  IssueWorkloadRequest,
  RenewalProof
} from '../../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import {
  type Certificate,
  parseCertificate,
  type TrustBundle,
  verifyRenewalProof,
  verifySvid
} from '../../shared/x509/index.ts'
import {
  type AgentAccount,
  authorizeAgent,
  authorizeAgentRenewal,
  authorizeRenewal,
  authorizeWorkloadByToken,
  type Decision,
  type PodDirectory,
  type PodTokenVerifier,
  refusal
} from '../authentication/index.ts'
import { type Caller, parsePeer } from './caller.ts'

/** What the authority knows of the world when it decides for whom a request may be signed. */
export interface AuthorizerOptions {
  readonly clock: Clock
  readonly trustDomain: TrustDomain
  /** Under what current certificates of this trust domain are accepted: during a rotation, old roots and new. */
  readonly trustBundle: () => TrustBundle
  readonly verifyToken: PodTokenVerifier
  readonly pods: PodDirectory
  /** Under which account agents run. */
  readonly agentAccount: AgentAccount
}

// A chain longer than this is refused by verification; no more of it is parsed.
const MAX_CHAIN = 11

/** Gathers the facts of a request and has them decided upon. */
export class Authorizer {
  readonly #options: AuthorizerOptions

  constructor(options: AuthorizerOptions) {
    this.#options = options
  }

  /** @throws CountersignError ERR_TOKEN_REFUSED, ERR_CALLER_REFUSED */
  async agent(request: IssueAgentRequest, peer: string): Promise<SpiffeId> {
    const { trustDomain, clock, pods, agentAccount: account } = this.#options
    const caller = callerOf(peer)
    if (caller.kind === 'agent') {
      if (request.token !== '') throw refusal('unexpected')
      const found = pods.podsOf(account, caller.node)
      return granted(authorizeAgentRenewal({ trustDomain, node: caller.node, pods: found, now: clock.now() }))
    }
    const claims = await this.#options.verifyToken(new Sensitive(request.token))
    const pod = pods.pod(claims.podUid)
    return granted(authorizeAgent({ trustDomain, claims, account, pod, now: clock.now() }))
  }

  /** @throws CountersignError ERR_TOKEN_REFUSED, ERR_CALLER_REFUSED, ERR_RENEWAL_REFUSED */
  async workload(request: IssueWorkloadRequest, peer: string): Promise<SpiffeId> {
    const caller = callerOf(peer)
    if (caller.kind === 'anonymous') throw refusal('anonymous')
    const { proof } = request
    switch (proof.case) {
      case 'token':
        return this.#byToken(request, new Sensitive(proof.value), caller.node)
      case 'renewal':
        return this.#byRenewal(request, proof.value, caller.node)
      case undefined:
        throw refusal('no_proof')
    }
  }

  async #byToken(request: IssueWorkloadRequest, token: Sensitive<string>, callerNode: string): Promise<SpiffeId> {
    const { trustDomain, clock, pods } = this.#options
    const claims = await this.#options.verifyToken(token)
    const requestedPodUid = request.podUid
    const pod = pods.pod(requestedPodUid)
    return granted(
      authorizeWorkloadByToken({ trustDomain, claims, requestedPodUid, callerNode, pod, now: clock.now() })
    )
  }

  #byRenewal(request: IssueWorkloadRequest, proof: RenewalProof, callerNode: string): SpiffeId {
    const { trustDomain, clock, pods } = this.#options
    const now = clock.now()
    const { spiffeId: current, leaf } = this.#currentOf(proof, now)
    const proofValid = verifyRenewalProof(leaf.publicKey, request.csr, proof.signature)
    const requestedPodUid = request.podUid
    const pod = pods.pod(requestedPodUid)
    return granted(authorizeRenewal({ trustDomain, current, proofValid, requestedPodUid, callerNode, pod, now }))
  }

  #currentOf(proof: RenewalProof, now: number): { spiffeId: SpiffeId; leaf: Certificate } {
    try {
      const chain = proof.certificateChain.slice(0, MAX_CHAIN).map(parseCertificate)
      const spiffeId = verifySvid(chain, [this.#options.trustBundle()], now)
      const [leaf] = chain
      if (leaf === undefined) throw new TypeError('BUG: an empty chain was verified')
      return { spiffeId, leaf }
    } catch (error) {
      throw refusal('current_certificate', error)
    }
  }
}

function callerOf(peer: string): Caller {
  const caller = parsePeer(peer)
  if (caller === undefined) throw refusal('unknown_peer')
  return caller
}

function granted(decision: Decision): SpiffeId {
  if ('refused' in decision) throw refusal(decision.refused)
  return decision.granted
}
