import { readFileSync } from 'node:fs'
import { create } from '@bufbuild/protobuf'
import type { Clock, Random } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { SpiffeId } from '../../shared/identity/index.ts'
import { type Logger, Sensitive } from '../../shared/log/index.ts'
import {
  CertificateAuthority,
  IssueAgentRequestSchema
} from '../../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import { unaryCall } from '../../shared/rpc/index.ts'
import type { Certificate } from '../../shared/x509/index.ts'
import {
  firstAccepted,
  Rotation,
  type RotationObserver,
  type RotationRequest,
  type Svid,
  type SvidStore,
  type Way
} from '../workload/index.ts'
import { type AuthorityEndpoint, CALL_TIMEOUT_MS, connectAuthority } from './authority-client.ts'
import { chainOf } from './issuing-client.ts'

export interface AgentIdentityOptions {
  readonly endpoint: AuthorityEndpoint
  /** Name of the node that the agent speaks for. */
  readonly node: string
  /** The agent's own pod-bound token; the kubelet replaces it, so it is read again for each use. */
  readonly tokenPath: string
  readonly store: SvidStore
  readonly verify: (chain: readonly Certificate[]) => void
  readonly observer: RotationObserver
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** The agent's own SVID: by its token at first, by the SVID itself from then on, and by the token where that fails. */
export class AgentIdentity {
  readonly #options: AgentIdentityOptions
  readonly #rotation: Rotation
  readonly #listeners = new Set<() => void>()

  /** @throws CountersignError ERR_SPIFFE_ID_INVALID when the node's name cannot be part of a SPIFFE ID */
  constructor(options: AgentIdentityOptions) {
    this.#options = options
    const { endpoint, node, store, verify, observer, clock, random, log } = options
    this.#rotation = new Rotation({
      spiffeId: SpiffeId.agent(endpoint.trustDomain, node),
      store,
      request: request => this.#request(request),
      verify,
      lifetimeMs: undefined,
      onChange: () => this.#tell(),
      observer,
      clock,
      random,
      log
    })
  }

  /** Takes up what was stored, where it is still valid, and asks for what is missing. */
  start(): void {
    this.#rotation.start()
  }

  current(): Svid | undefined {
    return this.#rotation.current()
  }

  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** The authority may be there again: what failed is tried soon. */
  hurry(): void {
    this.#rotation.hurry()
  }

  /** The trusted roots have changed. */
  recheck(): void {
    this.#rotation.recheck()
  }

  /** There is doubt that the authority still accepts the SVID. */
  renewSoon(): void {
    this.#rotation.renewSoon()
  }

  close(): void {
    this.#rotation.stop()
    this.#listeners.clear()
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  #request({ csr, current, sound, signal }: RotationRequest): Promise<readonly Certificate[]> {
    const byToken: Way<readonly Certificate[]> = {
      name: 'token',
      attempt: async () => this.#issue(csr, readToken(this.#options.tokenPath), undefined, signal)
    }
    if (current === undefined) return byToken.attempt()
    const byCertificate: Way<readonly Certificate[]> = {
      name: 'certificate',
      attempt: () => this.#issue(csr, new Sensitive(''), current, signal)
    }
    // An authority that does not accept the certificate ends the connection, which looks as if it were down. So the
    // token is tried whatever the error; an agent is one caller, not two hundred.
    return firstAccepted(sound ? [byCertificate, byToken] : [byToken, byCertificate], () => !signal.aborted)
  }

  async #issue(
    csr: Buffer,
    token: Sensitive<string>,
    identity: Svid | undefined,
    signal: AbortSignal
  ): Promise<readonly Certificate[]> {
    const client = connectAuthority(this.#options.endpoint, identity)
    try {
      const request = create(IssueAgentRequestSchema, { csr, token: token.reveal() })
      const options = { timeoutMs: CALL_TIMEOUT_MS, signal }
      return chainOf(await unaryCall(client, CertificateAuthority.method.issueAgent, request, options))
    } finally {
      client.close()
    }
  }
}

function readToken(path: string): Sensitive<string> {
  let token: string
  try {
    token = readFileSync(path, 'utf8').trim()
  } catch (thrown) {
    throw CountersignError.from(thrown, 'ERR_FILE_INVALID', `token file ${path} cannot be read`)
  }
  if (token === '') throw new CountersignError('ERR_FILE_INVALID', `token file ${path} is empty, expected a token`)
  return new Sensitive(token)
}
