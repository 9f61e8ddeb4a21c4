import { create } from '@bufbuild/protobuf'
import { type ServerDuplexStream, type sendUnaryData, status } from '@grpc/grpc-js'
import type { Clock } from '../../shared/clock/index.ts'
import { parseTrustDomain, SpiffeId, type TrustDomain } from '../../shared/identity/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import {
  CertificateAuthority,
  type IssueAgentRequest,
  type IssueResponse,
  IssueResponseSchema,
  type IssueWorkloadRequest
} from '../../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import {
  EndpointsSchema,
  EndUserKeys,
  type Mesh,
  MeshSchema,
  type ReportUnknownKeyRequest,
  type ReportUnknownKeyResponse,
  ReportUnknownKeyResponseSchema,
  ServiceSchema,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { AggregatedDiscoveryService } from '../../shared/proto/gen/envoy/service/discovery/v3/ads_pb.js'
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse
} from '../../shared/proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { InjectedServer, listenTls, serviceDefinition, statusOf, type TlsListener } from '../../shared/rpc/index.ts'
import {
  type Certificate,
  createRoot,
  generateKeyPair,
  type Issuer,
  parseCertificate,
  parseCertificateRequest,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  type TrustBundle,
  toPem,
  verifyRenewalProof,
  verifySvid
} from '../../shared/x509/index.ts'
import {
  createResource,
  DEFAULT_LIMITS,
  DeltaServer,
  type Resource,
  serveStream,
  typeUrlOf
} from '../../shared/xds/index.ts'
import { FakeSnapshotSource } from './snapshot-source.ts'

const DAY_MS = 86_400_000
const BACKDATED_MS = 10_000

/** A certificate authority without a door: signs whatever is well formed. Its life and its clock are the test's. */
export class FakeIssuer {
  readonly trustDomain: TrustDomain
  readonly clock: Clock
  lifetimeMs: number
  #issuer: Issuer

  private constructor(issuer: Issuer, trustDomain: TrustDomain, clock: Clock, lifetimeMs: number) {
    this.#issuer = issuer
    this.trustDomain = trustDomain
    this.clock = clock
    this.lifetimeMs = lifetimeMs
  }

  static async create(options: { clock: Clock; lifetimeMs?: number; trustDomain?: string }): Promise<FakeIssuer> {
    const trustDomain = parseTrustDomain(options.trustDomain ?? 'mesh.test')
    const issuer = await newRoot(trustDomain, options.clock)
    return new FakeIssuer(issuer, trustDomain, options.clock, options.lifetimeMs ?? DAY_MS)
  }

  /** From now on signs with another root. */
  async replaceRoot(): Promise<void> {
    this.#issuer = await newRoot(this.trustDomain, this.clock)
  }

  get bundle(): TrustBundle {
    return { trustDomain: this.trustDomain, roots: [this.#issuer.certificate] }
  }

  /** A chain for the only name of a request, as the request wants it. */
  sign(csr: Uint8Array, lifetimeMs = this.lifetimeMs): readonly Certificate[] {
    const request = parseCertificateRequest(csr)
    const [name, ...others] = request.subjectAltNames
    if (!request.signatureValid || name?.type !== 'uri' || others.length > 0)
      throw new Error('request is not well formed')
    return this.certify(SpiffeId.parse(name.value), request.spki, lifetimeMs)
  }

  /** A chain for any name and any key. */
  certify(spiffeId: SpiffeId, spki: Buffer, lifetimeMs = this.lifetimeMs): readonly Certificate[] {
    const now = this.clock.now()
    const template = { spiffeId, notBefore: now - BACKDATED_MS, notAfter: now + lifetimeMs, usage: 'workload' } as const
    return [signCertificate(template, spki, this.#issuer), ...this.#issuer.chain]
  }
}

function newRoot(trustDomain: TrustDomain, clock: Clock): Promise<Issuer> {
  const now = clock.now()
  return createRoot({ commonName: 'root', trustDomain, notBefore: now - DAY_MS, notAfter: now + 3650 * DAY_MS })
}

const MESH_TYPES = [MeshSchema, WorkloadSchema, ServiceSchema, EndpointsSchema].map(typeUrlOf)

interface Call<Request> {
  readonly request: Request
  getPeer(): string
}

/**
 * The authority as agents see it: TLS with its own SPIFFE ID, CertificateAuthority and delta ADS, on a real port. It
 * checks who calls and what is proven, and knows nothing of pods: every token that starts with `token` is one.
 */
export class FakeAuthority {
  readonly issuer: FakeIssuer
  readonly mesh = new FakeSnapshotSource()
  /** How each certificate request was justified, in order: `agent by token`, `workload by renewal`, and so on. */
  readonly requests: string[] = []
  readonly workloadRequests: IssueWorkloadRequest[] = []
  /** First requests of each stream and type: what the client says that it has. */
  readonly openings: { readonly typeUrl: string; readonly versions: Readonly<Record<string, string>> }[] = []
  readonly rejections: string[] = []
  /** UIDs of pods whose proxies have seen tokens that no key fits. */
  readonly unknownKeys: string[] = []
  /** Refused from now on: any of what `requests` holds. */
  readonly refuses = new Set<string>()
  /** Never answered from now on, likewise. */
  readonly ignores = new Set<string>()
  readonly #log: Logger
  #server: InjectedServer
  #listener: TlsListener | undefined
  readonly #spiffeId: SpiffeId
  #port = 0

  private constructor(issuer: FakeIssuer, spiffeId: SpiffeId, log: Logger) {
    this.issuer = issuer
    this.#spiffeId = spiffeId
    this.#log = log
    this.#server = this.#newServer()
  }

  /** Listens on a free port of the loopback address; `spiffeId` is what it presents itself as. */
  static async start(options: { issuer: FakeIssuer; log: Logger; spiffeId?: SpiffeId }): Promise<FakeAuthority> {
    const { issuer, log, spiffeId = SpiffeId.authority(issuer.trustDomain) } = options
    const authority = new FakeAuthority(issuer, spiffeId, log)
    await authority.up()
    return authority
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Peers that are connected: `anonymous` and `agent:<node>`. */
  get peers(): readonly string[] {
    return this.#server.peers
  }

  /** Listens, again on the port of the first time, with a certificate of the present root. */
  async up(): Promise<void> {
    if (this.#listener !== undefined) return
    const { privateKey, publicKey } = await generateKeyPair()
    const serving = {
      key: privateKeyToPem(privateKey),
      cert: toPem(this.issuer.certify(this.#spiffeId, spkiOf(publicKey)))
    }
    this.#listener = await listenTls({
      address: `127.0.0.1:${this.#port}`,
      credentials: { current: () => serving, subscribe: () => () => {} },
      identify: chain => this.#identify(chain),
      server: this.#server,
      log: this.#log
    })
    this.#port = this.#listener.port
  }

  /** Ends every connection and accepts no more. */
  down(): void {
    this.#listener?.close()
    this.#listener = undefined
    this.#server.close()
    this.#server = this.#newServer()
  }

  /** Distributes a mesh: its own trust bundle, and whatever is given beside it. */
  publish(resources: readonly Resource[] = [], bundles: readonly TrustBundle[] = [this.issuer.bundle]): void {
    const all = [createResource(MeshSchema, 'mesh', meshOf(this.issuer.trustDomain, bundles)), ...resources]
    const byType = MESH_TYPES.map(typeUrl => [typeUrl, all.filter(resource => resource.typeUrl === typeUrl)] as const)
    this.mesh.set(Object.fromEntries(byType))
  }

  #identify(chain: readonly Buffer[]): string | undefined {
    if (chain.length === 0) return 'anonymous'
    const { subject } = verifySvid(chain.map(parseCertificate), [this.issuer.bundle], this.issuer.clock.now())
    return subject.kind === 'agent' ? `agent:${subject.node}` : undefined
  }

  #newServer(): InjectedServer {
    const server = new InjectedServer()
    server.addService(serviceDefinition(CertificateAuthority), {
      IssueAgent: (call: Call<IssueAgentRequest>, answer: sendUnaryData<IssueResponse>) => {
        const byToken = call.request.token !== ''
        const proven = byToken ? call.request.token.startsWith('token') : call.getPeer().startsWith('agent:')
        this.#answer(`agent by ${byToken ? 'token' : 'certificate'}`, proven, call.request.csr, undefined, answer)
      },
      IssueWorkload: (call: Call<IssueWorkloadRequest>, answer: sendUnaryData<IssueResponse>) => {
        const { csr, proof, lifetime } = call.request
        this.workloadRequests.push(call.request)
        const lifetimeMs = lifetime === undefined ? undefined : Number(lifetime.seconds) * 1_000 + lifetime.nanos / 1e6
        const proven = call.getPeer().startsWith('agent:') && this.#isProven(call.request)
        this.#answer(`workload by ${proof.case}`, proven, csr, lifetimeMs, answer)
      }
    })
    server.addService(serviceDefinition(EndUserKeys), {
      ReportUnknownKey: (call: Call<ReportUnknownKeyRequest>, answer: sendUnaryData<ReportUnknownKeyResponse>) => {
        this.unknownKeys.push(call.request.podUid)
        answer(null, create(ReportUnknownKeyResponseSchema))
      }
    })
    server.addService(serviceDefinition(AggregatedDiscoveryService), {
      DeltaAggregatedResources: (call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) =>
        this.#stream(call)
    })
    return server
  }

  #isProven({ csr, proof }: IssueWorkloadRequest): boolean {
    if (proof.case === 'token') return proof.value.startsWith('token')
    if (proof.case !== 'renewal') return false
    const chain = proof.value.certificateChain.map(parseCertificate)
    try {
      verifySvid(chain, [this.issuer.bundle], this.issuer.clock.now())
    } catch {
      return false
    }
    const key = chain[0]?.publicKey
    return key !== undefined && verifyRenewalProof(key, csr, proof.value.signature)
  }

  #answer(
    kind: string,
    proven: boolean,
    csr: Uint8Array,
    lifetimeMs: number | undefined,
    answer: sendUnaryData<IssueResponse>
  ): void {
    this.requests.push(kind)
    if (this.ignores.has(kind)) return
    if (!proven || this.refuses.has(kind)) {
      answer({ code: status.PERMISSION_DENIED, details: 'the request was refused' })
      return
    }
    const chain = this.issuer.sign(csr, lifetimeMs)
    answer(null, create(IssueResponseSchema, { certificateChain: chain.map(({ der }) => der) }))
  }

  #stream(call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>): void {
    if (!call.getPeer().startsWith('agent:')) {
      call.end()
      return
    }
    const seen = new Set<string>()
    call.on('data', ({ typeUrl, initialResourceVersions }: DeltaDiscoveryRequest) => {
      if (!seen.has(typeUrl)) this.openings.push({ typeUrl, versions: initialResourceVersions })
      seen.add(typeUrl)
    })
    const server = new DeltaServer({
      order: { updates: MESH_TYPES, removals: MESH_TYPES },
      singleType: false,
      limits: DEFAULT_LIMITS,
      events: { accepted() {}, rejected: (_type, message) => this.rejections.push(message), ignored() {} }
    })
    serveStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>({
      call,
      server,
      source: this.mesh,
      fail: error => void call.emit('error', statusOf(error)),
      onClosed() {}
    })
  }
}

function meshOf(trustDomain: TrustDomain, bundles: readonly TrustBundle[]): Mesh {
  return create(MeshSchema, {
    trustDomain,
    clusterDomain: 'cluster.local',
    trustBundles: bundles.map(bundle => ({
      trustDomain: bundle.trustDomain,
      roots: bundle.roots.map(({ der }) => der)
    }))
  })
}
