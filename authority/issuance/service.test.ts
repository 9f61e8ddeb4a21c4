import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import * as grpc from '@grpc/grpc-js'
import { exportJWK, type JWTPayload, SignJWT } from 'jose'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import {
  CertificateAuthority,
  IssueAgentRequestSchema,
  type IssueResponse,
  IssueWorkloadRequestSchema,
  RenewalProofSchema
} from '../../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import { InjectedServer, serviceDefinition } from '../../shared/rpc/index.ts'
import {
  createCertificateRequest,
  createRoot,
  generateKeyPair,
  type Issuer,
  type KeyPair,
  parseCertificate,
  privateKeyToPem,
  signCertificate,
  signRenewalProof,
  spkiOf,
  verifySvid
} from '../../shared/x509/index.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { type PodRecord, podTokenVerifier } from '../authentication/index.ts'
import { certificateAuthorityService, DEFAULT_LIFETIMES } from './index.ts'

const HOUR = 3_600_000
const REFUSED = 'the request was refused; the reason is in the log of the authority'
const clock = new FakeClock()
const now = clock.now()
const trustDomain = parseTrustDomain('cluster.local')
const agentAccount = { namespace: 'countersign-system', serviceAccount: 'countersign-agent' }
const cart = SpiffeId.workload(trustDomain, 'shop', 'cart')
const agentId = SpiffeId.agent(trustDomain, 'node-1')

const life = { notBefore: now - HOUR, notAfter: now + 10_000 * HOUR }
const root = await createRoot({ ...life, commonName: 'root', trustDomain })
const formerRoot = await createRoot({ ...life, commonName: 'former root', trustDomain })
const foreignRoot = await createRoot({ ...life, commonName: 'root' })
const keyPair = await generateKeyPair()
const currentKey = await generateKeyPair()
const apiServer = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const tokenKeys = { keys: [{ ...(await exportJWK(apiServer.publicKey)), kid: 'key-1' }] }

// ---- The world that the authority knows ----

const cartPod: PodRecord = {
  uid: 'uid-cart',
  namespace: 'shop',
  name: 'cart-0',
  serviceAccount: 'cart',
  node: 'node-1',
  phase: 'Running',
  deletionTime: undefined
}
const pods: readonly PodRecord[] = [
  cartPod,
  { ...cartPod, uid: 'uid-admin', name: 'admin-0', serviceAccount: 'admin' },
  { ...cartPod, uid: 'uid-far', name: 'cart-1', node: 'node-2' },
  { ...cartPod, uid: 'uid-done', name: 'cart-2', phase: 'Succeeded' },
  { ...cartPod, uid: 'uid-new', name: 'cart-3', withheld: { reason: 'pod_not_enrolled', fromRenewal: false } },
  { ...cartPod, uid: 'uid-open', name: 'cart-4', withheld: { reason: 'pod_below_floor', fromRenewal: true } },
  { ...cartPod, ...agentAccount, uid: 'uid-agent', name: 'agent-x' },
  { ...cartPod, ...agentAccount, uid: 'uid-agent-2', name: 'agent-y', node: 'node-2' }
]

/** Issuers by which a test replaces the usual one for the time of a call. */
let issuer: () => Issuer = () => root
const lines: Record<string, unknown>[] = []
const counted: string[] = []

function service(): grpc.UntypedServiceImplementation {
  const keys = { current: () => tokenKeys, refresh: async () => {} }
  return certificateAuthorityService({
    log: createLogger('authority', 'info', { write: line => lines.push(JSON.parse(line)) }),
    clock,
    issuer: { current: () => issuer() },
    trustBundle: () => ({ trustDomain, roots: [root.certificate, formerRoot.certificate] }),
    verifyToken: podTokenVerifier(keys, { issuers: ['https://kubernetes'] }, clock),
    pods: {
      pod: uid => pods.find(pod => pod.uid === uid),
      podsOf: ({ namespace, serviceAccount }, node) =>
        pods.filter(pod => pod.namespace === namespace && pod.serviceAccount === serviceAccount && pod.node === node)
    },
    trustDomain,
    agentAccount,
    lifetimes: { ...DEFAULT_LIFETIMES, maximumMs: 48 * HOUR },
    metrics: { onIssued: kind => counted.push(`issued ${kind}`), onRefused: reason => counted.push(reason) }
  })
}

// ---- Tokens, requests and proofs ----

interface Bound {
  readonly pod?: PodRecord
  readonly change?: JWTPayload
  readonly key?: KeyObject
}

function tokenFor({ pod = cartPod, change = {}, key = apiServer.privateKey }: Bound = {}): Promise<string> {
  const { namespace, serviceAccount, name, uid, node } = pod
  const seconds = now / 1_000
  const claims = {
    aud: ['countersign-ca'],
    iss: 'https://kubernetes',
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
    iat: seconds,
    nbf: seconds,
    exp: seconds + 3_600,
    'kubernetes.io': {
      namespace,
      serviceaccount: { name: serviceAccount, uid: 'uid-sa' },
      pod: { name, uid },
      node: { name: node, uid: 'uid-node' }
    }
  }
  return new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg: 'ES256', kid: 'key-1' }).sign(key)
}

const csrFor = (id: SpiffeId, pair: KeyPair = keyPair): Buffer => createCertificateRequest(pair, id)
const agentPod = (uid = 'uid-agent'): PodRecord => {
  const found = pods.find(pod => pod.uid === uid)
  assert.ok(found)
  return found
}

/** A request for our key with whatever OpenSSL can be made to ask for. */
function opensslCsr(subject: string, ...extensions: string[]): Buffer {
  writeFileSync(join(folder, 'csr.key'), privateKeyToPem(keyPair.privateKey))
  writeFileSync(join(folder, 'csr.config'), '[req]\ndistinguished_name = name\n[name]\n')
  const added = extensions.flatMap(extension => ['-addext', extension])
  const args = [
    'req',
    '-new',
    '-key',
    'csr.key',
    '-config',
    'csr.config',
    '-outform',
    'DER',
    '-subj',
    subject,
    ...added
  ]
  return execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
}

interface Proving {
  readonly id?: SpiffeId
  readonly signer?: Issuer
  readonly notAfter?: number
  readonly provedWith?: KeyObject
  readonly csr?: Buffer
}

type Workload = MessageInitShape<typeof IssueWorkloadRequestSchema>

const withProof = (certificateChain: Uint8Array[]): Workload => {
  const value = create(RenewalProofSchema, { certificateChain })
  return { csr: csrFor(cart), podUid: 'uid-cart', proof: { case: 'renewal', value } }
}

function renewal(proving: Proving = {}): Workload {
  const { id = cart, signer = root, notAfter = now + HOUR, provedWith = currentKey.privateKey } = proving
  const template = { usage: 'workload', spiffeId: id, notBefore: now - HOUR, notAfter } as const
  const current = signCertificate(template, spkiOf(currentKey.publicKey), signer)
  const csr = csrFor(cart)
  const signature = signRenewalProof(provedWith, proving.csr ?? csr)
  const value = create(RenewalProofSchema, { certificateChain: [current.der], signature })
  return { csr, podUid: 'uid-cart', proof: { case: 'renewal', value } }
}

async function byToken(bound: Bound = {}, change: Workload = {}): Promise<Workload> {
  return { csr: csrFor(cart), podUid: 'uid-cart', proof: { case: 'token', value: await tokenFor(bound) }, ...change }
}

// ---- A real server and real clients, each on the Unix socket of its peer ----

type Answer = { readonly response: IssueResponse } | { readonly error: grpc.ServiceError }
type Call = (request: object, answer: (error: grpc.ServiceError | null, response: IssueResponse) => void) => void

const PEERS = ['anonymous', 'agent:node-1', 'agent:node-2', 'agent:', 'pod:uid-cart'] as const
type Peer = (typeof PEERS)[number]

const server = new InjectedServer()
const listeners = PEERS.map(peer => createServer(socket => server.accept(socket, peer)))
const clients = new Map<Peer, grpc.Client>()
let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-issuance-'))
  server.addService(serviceDefinition(CertificateAuthority), service())
  const Client = grpc.makeGenericClientConstructor(serviceDefinition(CertificateAuthority), 'CertificateAuthority')
  for (const [index, peer] of PEERS.entries()) {
    const path = join(folder, `${index}.sock`)
    await new Promise<void>(resolve => listeners[index]?.listen(path, resolve))
    clients.set(peer, new Client(`unix:${path}`, grpc.credentials.createInsecure()))
  }
})

after(async () => {
  for (const client of clients.values()) client.close()
  server.close()
  await Promise.all(listeners.map(listener => new Promise(resolve => listener.close(resolve))))
  await rm(folder, { recursive: true })
})

function call(peer: Peer, method: 'IssueAgent' | 'IssueWorkload', request: object): Promise<Answer> {
  const client = clients.get(peer) as unknown as Record<string, Call>
  lines.length = 0
  counted.length = 0
  return new Promise(resolve => {
    client[method]?.call(client, request, (error: grpc.ServiceError | null, response: IssueResponse) =>
      resolve(error === null ? { response } : { error })
    )
  })
}

const askWorkload = (peer: Peer, request: Workload): Promise<Answer> =>
  call(peer, 'IssueWorkload', create(IssueWorkloadRequestSchema, request))
const askAgent = (peer: Peer, request: MessageInitShape<typeof IssueAgentRequestSchema>): Promise<Answer> =>
  call(peer, 'IssueAgent', create(IssueAgentRequestSchema, request))

function chainIn(answer: Answer): ReturnType<typeof parseCertificate>[] {
  assert.ok('response' in answer, 'error' in answer ? answer.error.details : '')
  return answer.response.certificateChain.map(parseCertificate)
}

const bundles = [{ trustDomain, roots: [root.certificate] }]

describe('the certificate authority over gRPC', () => {
  const granted: Record<string, [SpiffeId, string, () => Promise<Answer>]> = {
    'a pod by its token': [cart, 'issued workload', async () => askWorkload('agent:node-1', await byToken())],
    'a pod by its current certificate': [cart, 'issued workload', () => askWorkload('agent:node-1', renewal())],
    'a pod by a current certificate of the former root': [
      cart,
      'issued workload',
      () => askWorkload('agent:node-1', renewal({ signer: formerRoot }))
    ],
    'an agent by its token': [
      agentId,
      'issued agent',
      async () => askAgent('anonymous', { csr: csrFor(agentId), token: await tokenFor({ pod: agentPod() }) })
    ],
    'an agent over mutual TLS': [agentId, 'issued agent', () => askAgent('agent:node-1', { csr: csrFor(agentId) })]
  }
  for (const [who, [id, count, ask]] of Object.entries(granted))
    it(`gives ${who} its certificate, and says so in the log`, async () => {
      const [leaf, ...rest] = chainIn(await ask())
      assert.ok(leaf)
      assert.deepEqual(rest, [])
      assert.ok(verifySvid([leaf], bundles, now).equals(id))
      assert.ok(new X509Certificate(leaf.der).checkPrivateKey(keyPair.privateKey))
      assert.equal(leaf.notAfter, now + 24 * HOUR)
      assert.deepEqual(counted, [count])

      const [line, ...others] = lines
      assert.deepEqual(others, [])
      assert.equal(line?.['level'], 'info')
      assert.equal(line?.['room'], 'issuance')
      assert.equal(line?.['msg'], 'certificate issued')
      assert.equal(line?.['spiffeId'], id.toString())
      assert.equal(line?.['serial'], leaf.serialNumber)
      assert.equal(line?.['notAfter'], new Date(leaf.notAfter).toISOString())
      if (count === 'issued workload') assert.equal(line?.['node'], 'node-1')
      if (count === 'issued workload') assert.equal(line?.['pod'], 'uid-cart')
    })

  it('sends the intermediates along', async () => {
    const { publicKey, privateKey } = await generateKeyPair()
    const template = { ...life, usage: 'authority', commonName: 'intermediate' } as const
    const certificate = signCertificate(template, spkiOf(publicKey), root)
    issuer = () => ({ certificate, privateKey, chain: [certificate] })
    try {
      const chain = chainIn(await askWorkload('agent:node-1', await byToken()))
      assert.equal(chain.length, 2)
      assert.ok(verifySvid(chain, bundles, now).equals(cart))
    } finally {
      issuer = () => root
    }
  })

  for (const [what, seconds, hours] of [
    ['zero', 0n, 24],
    ['one hour', 3_600n, 1],
    ['ten years', 315_360_000n, 48]
  ] as const)
    it(`a wish for a lifetime of ${what} gives ${hours} hours`, async () => {
      const [leaf] = chainIn(await askWorkload('agent:node-1', await byToken({}, { lifetime: { seconds, nanos: 0 } })))
      assert.equal(leaf?.notAfter, now + hours * HOUR)
    })

  const admin = SpiffeId.workload(trustDomain, 'shop', 'admin')
  const seconds = now / 1_000
  const forged = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  const from =
    (peer: Peer, make: () => Workload | Promise<Workload>): (() => Promise<Answer>) =>
    async () =>
      askWorkload(peer, await make())
  const near = (make: () => Workload | Promise<Workload>): (() => Promise<Answer>) => from('agent:node-1', make)
  const withCsr = (csr: () => Uint8Array): (() => Promise<Answer>) => near(() => byToken({}, { csr: csr() }))

  const refused: Record<string, [string, () => Promise<Answer>]> = {
    // Who calls.
    'a caller without a certificate': ['anonymous', from('anonymous', () => byToken())],
    'a caller without a certificate, by a renewal': ['anonymous', from('anonymous', () => renewal())],
    'a caller that is neither anonymous nor an agent': ['unknown_peer', from('pod:uid-cart', () => byToken())],
    'an agent without a node': ['unknown_peer', from('agent:', () => byToken())],
    'an agent of another node': ['other_node', from('agent:node-2', () => byToken())],
    'a request without a proof': ['no_proof', near(() => ({ csr: csrFor(cart), podUid: 'uid-cart' }))],

    // Tokens.
    'an empty token': ['missing', near(() => byToken({}, { proof: { case: 'token', value: '' } }))],
    'a token that is none': ['malformed', near(() => byToken({}, { proof: { case: 'token', value: 'hello' } }))],
    'a forged token': ['signature', near(() => byToken({ key: forged }))],
    'an expired token': ['expired', near(() => byToken({ change: { exp: seconds - 60 } }))],
    'a token that is not valid yet': ['not_yet_valid', near(() => byToken({ change: { nbf: seconds + 60 } }))],
    'a token for another audience': ['audience', near(() => byToken({ change: { aud: ['vault'] } }))],
    'a token for one more audience': [
      'audience',
      near(() => byToken({ change: { aud: ['countersign-ca', 'vault'] } }))
    ],
    'a token of another issuer': ['issuer', near(() => byToken({ change: { iss: 'https://elsewhere' } }))],
    'a token of another pod': ['other_pod', near(() => byToken({ pod: { ...cartPod, uid: 'uid-admin' } }))],
    'a token of a pod on another node': ['other_node', near(() => byToken({ pod: { ...cartPod, node: 'node-2' } }))],

    // Pods.
    'a pod that nobody knows': [
      'pod_unknown',
      near(() => byToken({ pod: { ...cartPod, uid: 'uid-gone' } }, { podUid: 'uid-gone' }))
    ],
    'a pod that is known on another node': [
      'pod_elsewhere',
      near(() => byToken({ pod: { ...cartPod, uid: 'uid-far', name: 'cart-1' } }, { podUid: 'uid-far' }))
    ],
    'a pod that is known under another account': [
      'other_account',
      near(() => byToken({ pod: { ...cartPod, uid: 'uid-admin', name: 'admin-0' } }, { podUid: 'uid-admin' }))
    ],
    'a pod that finished': [
      'pod_finished',
      near(() => byToken({ pod: { ...cartPod, uid: 'uid-done', name: 'cart-2' } }, { podUid: 'uid-done' }))
    ],

    // Renewals.
    'a renewal that another key proves': ['proof', near(() => renewal({ provedWith: keyPair.privateKey }))],
    'a renewal that was proved for another request': ['proof', near(() => renewal({ csr: csrFor(admin) }))],
    'a renewal by an expired certificate': ['current_certificate', near(() => renewal({ notAfter: now - 60_000 }))],
    'a renewal by a certificate of an unknown root': [
      'current_certificate',
      near(() => renewal({ signer: foreignRoot }))
    ],
    'a renewal by a certificate of another trust domain': [
      'current_certificate',
      near(() => renewal({ id: SpiffeId.workload(parseTrustDomain('elsewhere'), 'shop', 'cart') }))
    ],
    'a renewal by the certificate of an agent': ['not_a_workload', near(() => renewal({ id: agentId }))],
    'a renewal by the certificate of another account': ['other_account', near(() => renewal({ id: admin }))],
    'a renewal by an agent of another node': ['pod_elsewhere', from('agent:node-2', () => renewal())],
    'a renewal for a pod that is gone': ['pod_unknown', near(() => ({ ...renewal(), podUid: 'uid-gone' }))],
    'a renewal without a certificate': ['current_certificate', near(() => withProof([]))],
    'a renewal with a certificate that is none': ['current_certificate', near(() => withProof([Buffer.from('hello')]))],
    'a renewal with a thousand certificates': [
      'current_certificate',
      near(() => withProof(Array.from({ length: 1_000 }, () => root.certificate.der)))
    ],

    // Requests.
    'a request that is none': ['malformed', withCsr(() => Buffer.from('hello'))],
    'an empty request': ['malformed', withCsr(() => Buffer.alloc(0))],
    'a request for another account': ['other_name', withCsr(() => csrFor(admin))],
    'a request for the name of the agent': ['other_name', withCsr(() => csrFor(agentId))],
    'a request with a subject': ['subject', withCsr(() => opensslCsr('/CN=cart', `subjectAltName=URI:${cart}`))],
    'a request to be an authority': [
      'extension',
      withCsr(() => opensslCsr('/', `subjectAltName=URI:${cart}`, 'basicConstraints=critical,CA:TRUE'))
    ],
    'a request for a DNS name as well': [
      'extra_name',
      withCsr(() => opensslCsr('/', `subjectAltName=URI:${cart},DNS:cart.shop`))
    ],
    'a request without a name': ['no_name', withCsr(() => opensslCsr('/'))],
    'a request for a key on P-384': [
      'key',
      withCsr(() => csrFor(cart, generateKeyPairSync('ec', { namedCurve: 'secp384r1' })))
    ],
    'a request that was tampered with': [
      'signature',
      withCsr(() => {
        const csr = csrFor(cart)
        const at = csr.indexOf('/sa/cart') + '/sa/'.length
        csr.write('pony', at)
        return csr
      })
    ],

    // Agents.
    'an agent without a token and without a certificate': [
      'missing',
      () => askAgent('anonymous', { csr: csrFor(agentId) })
    ],
    'a workload that poses as an agent': [
      'not_the_agent',
      async () => askAgent('anonymous', { csr: csrFor(agentId), token: await tokenFor() })
    ],
    'an agent that asks for the name of another node': [
      'other_name',
      async () =>
        askAgent('anonymous', { csr: csrFor(agentId), token: await tokenFor({ pod: agentPod('uid-agent-2') }) })
    ],
    'an agent over mutual TLS that asks for the name of another node': [
      'other_name',
      () => askAgent('agent:node-2', { csr: csrFor(agentId) })
    ],
    'an agent that is known on another node': [
      'pod_elsewhere',
      async () =>
        askAgent('anonymous', {
          csr: csrFor(agentId),
          token: await tokenFor({ pod: { ...agentPod('uid-agent-2'), node: 'node-1' } })
        })
    ],
    'an agent that sends a token over mutual TLS': [
      'unexpected',
      async () => askAgent('agent:node-1', { csr: csrFor(agentId), token: await tokenFor({ pod: agentPod() }) })
    ],
    'an agent that calls itself a pod': ['unknown_peer', () => askAgent('pod:uid-cart', { csr: csrFor(agentId) })]
  }
  for (const [what, [reason, ask]] of Object.entries(refused))
    it(`refuses ${what}: ${reason} in the log, one fixed sentence for the caller`, async () => {
      const answer = await ask()
      assert.ok('error' in answer, 'a certificate was issued')
      assert.equal(answer.error.code, grpc.status.PERMISSION_DENIED)
      assert.equal(answer.error.details, REFUSED)
      assert.deepEqual(Object.keys(answer.error.metadata.getMap()).sort(), ['content-type', 'date'])

      const [line, ...others] = lines
      assert.deepEqual(others, [])
      assert.equal(line?.['level'], 'warn')
      assert.equal(line?.['msg'], 'certificate refused')
      assert.equal(line?.['reason'], reason)
      assert.deepEqual(counted, [reason])
    })

  const withheld: Record<string, readonly [uid: string, name: string, reason: string, told: RegExp]> = {
    'a pod that is not enrolled': [
      'uid-new',
      'cart-3',
      'pod_not_enrolled',
      /^the pod is not enrolled: label its namespace countersign\.dev\/inject=enabled/
    ],
    'a pod below the floor': ['uid-open', 'cart-4', 'pod_below_floor', /^the pod excludes ports or interfaces/]
  }
  for (const [what, [uid, name, reason, told]] of Object.entries(withheld))
    it(`refuses ${what}, and its agent is told why: ${reason} in the log`, async () => {
      const answer = await askWorkload(
        'agent:node-1',
        await byToken({ pod: { ...cartPod, uid, name } }, { podUid: uid })
      )
      assert.ok('error' in answer, 'a certificate was issued')
      assert.equal(answer.error.code, grpc.status.PERMISSION_DENIED)
      assert.match(answer.error.details, told)
      assert.equal(lines[0]?.['msg'], 'certificate refused')
      assert.equal(lines[0]?.['pod'], uid)
      assert.deepEqual(counted, [reason])
    })

  it('renews the certificate of a pod whose namespace is no longer enrolled, and not that of one below the floor', async () => {
    chainIn(await askWorkload('agent:node-1', { ...renewal(), podUid: 'uid-new' }))
    const answer = await askWorkload('agent:node-1', { ...renewal(), podUid: 'uid-open' })
    assert.ok('error' in answer)
    assert.deepEqual(counted, ['pod_below_floor'])
  })

  it('a stolen agent certificate renews nothing on a node where no agent runs any more', async () => {
    const at = pods.findIndex(({ uid }) => uid === 'uid-agent-2')
    const [removed] = (pods as PodRecord[]).splice(at, 1)
    assert.ok(removed)
    try {
      const answer = await askAgent('agent:node-2', { csr: csrFor(SpiffeId.agent(trustDomain, 'node-2')) })
      assert.ok('error' in answer)
      assert.deepEqual(counted, ['no_agent_pod'])
    } finally {
      ;(pods as PodRecord[]).push(removed)
    }
  })

  it('a refusal is logged with pod and node, without token and request', async () => {
    const token = await tokenFor({ key: forged })
    const csr = csrFor(cart)
    await askWorkload('agent:node-1', {
      csr,
      podUid: `uid-cart${'x'.repeat(1_000)}`,
      proof: { case: 'token', value: token }
    })
    const [line] = lines
    assert.equal(line?.['node'], 'node-1')
    assert.equal(String(line?.['pod']).length, 64)
    const text = JSON.stringify(lines)
    for (const secret of [token, ...token.split('.'), csr.toString('base64'), csr.toString('hex')])
      assert.ok(!text.includes(secret))
  })

  it('an issuer that cannot sign is a fault of the authority, and the caller learns nothing of it', async () => {
    const expired = await createRoot({ commonName: 'old', notBefore: now - 2 * HOUR, notAfter: now - HOUR })
    issuer = () => expired
    try {
      const answer = await askWorkload('agent:node-1', await byToken())
      assert.ok('error' in answer)
      assert.equal(answer.error.code, grpc.status.INTERNAL)
      assert.equal(answer.error.details, 'internal error')
      assert.equal(lines[0]?.['level'], 'error')
      assert.deepEqual(counted, ['ERR_ISSUER_UNUSABLE'])
    } finally {
      issuer = () => root
    }
  })
})
