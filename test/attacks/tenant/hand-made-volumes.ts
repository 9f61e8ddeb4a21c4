// A tenant writes the proxy's volume by hand, beside the webhook, or where it is not asked. The authority is asked over
// gRPC as an agent asks it, with tokens that the API server would sign; the CSI driver is asked as the kubelet asks it.

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import * as grpc from '@grpc/grpc-js'
import { exportJWK, SignJWT } from 'jose'
import { podTokenVerifier } from '../../../authority/authentication/index.ts'
import { certificateAuthorityService, DEFAULT_LIFETIMES } from '../../../authority/issuance/index.ts'
import { type MeshSettings, type PodDirectory, podDirectory } from '../../../authority/naming/index.ts'
import { type PodOptions, pod } from '../../../authority/naming/mesh.test-support.ts'
import { addNodeService, PublishedVolumes } from '../../../node/csi/index.ts'
import { POD, TestKubelet, volumeIdOf } from '../../../node/csi/kubelet.test-support.ts'
import { systemClock } from '../../../shared/clock/index.ts'
import { parseFloor } from '../../../shared/floor/index.ts'
import { parseTrustDomain, SpiffeId } from '../../../shared/identity/index.ts'
import { podFromManifest } from '../../../shared/inventory/index.ts'
import { createLogger } from '../../../shared/log/index.ts'
import {
  CertificateAuthority,
  IssueWorkloadRequestSchema
} from '../../../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import {
  InjectedServer,
  listenUnix,
  methodDefinition,
  serviceDefinition,
  UNIX_SERVER_OPTIONS,
  type UnixListener
} from '../../../shared/rpc/index.ts'
import { createCertificateRequest, createRoot, generateKeyPair } from '../../../shared/x509/index.ts'

const HOUR = 3_600_000
const INJECT = 'countersign.dev/inject'
const trustDomain = parseTrustDomain('cluster.local')
const log = createLogger('attack', 'fatal')

const DENIED = { excludedNamespaces: new Set(['kube-system']), unenrolledPods: 'denied' } as const

function floorFrom(text: string): MeshSettings['floor'] {
  const parsed = parseFloor(text)
  return parsed.ok ? parsed.floor : assert.fail(parsed.problems.join())
}

/** An authority that knows one pod, behind a socket of the agent of its node. */
class Authority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'countersign-attack-'))
  readonly #key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  readonly #server = new InjectedServer()
  readonly #listener: Server = createServer(socket => this.#server.accept(socket, 'agent:node-1'))
  #client: grpc.Client | undefined
  #pods: PodDirectory = podDirectory({ pods: [] })

  async start(): Promise<void> {
    const now = Date.now()
    const root = await createRoot({ commonName: 'root', trustDomain, notBefore: now - HOUR, notAfter: now + 99 * HOUR })
    const keys = { keys: [{ ...(await exportJWK(this.#key.publicKey)), kid: 'key-1' }] }
    const tokens = { current: () => keys, refresh: async () => {} }
    const service = certificateAuthorityService({
      log,
      clock: systemClock,
      issuer: { current: () => root },
      trustBundle: () => ({ trustDomain, roots: [root.certificate] }),
      verifyToken: podTokenVerifier(tokens, { issuers: ['https://kubernetes'] }, systemClock),
      pods: { pod: uid => this.#pods.pod(uid), podsOf: (account, node) => this.#pods.podsOf(account, node) },
      trustDomain,
      agentAccount: { namespace: 'countersign-system', serviceAccount: 'countersign-agent' },
      lifetimes: DEFAULT_LIFETIMES,
      metrics: { onIssued: () => {}, onRefused: () => {} }
    })
    this.#server.addService(serviceDefinition(CertificateAuthority), service)
    const path = join(this.#folder, 'authority.sock')
    await new Promise<void>(resolve => this.#listener.listen(path, resolve))
    this.#client = new grpc.Client(`unix:${path}`, grpc.credentials.createInsecure())
  }

  /** Asks for the first certificate of the pod; what the agent is told when there is none. */
  async refusalOf(options: PodOptions, namespaceLabels: object, rules: Pick<MeshSettings, 'floor' | 'enrolment'>) {
    const { namespace = 'shop' } = options
    const namespaces = [{ name: namespace, labels: { ...namespaceLabels } }]
    const { value } = podFromManifest(pod(options))
    assert.ok(value !== undefined)
    this.#pods = podDirectory({ pods: [value], namespaces }, rules)
    const request = create(IssueWorkloadRequestSchema, {
      csr: createCertificateRequest(await generateKeyPair(), SpiffeId.workload(trustDomain, namespace, 'orders')),
      podUid: 'uid-orders-1',
      proof: { case: 'token', value: await this.#token(namespace) }
    })
    const { path, requestSerialize, responseDeserialize } = methodDefinition(CertificateAuthority.method.issueWorkload)
    return new Promise<string>(resolve =>
      this.#client?.makeUnaryRequest(
        path,
        requestSerialize as (message: object) => Buffer,
        responseDeserialize,
        request,
        error => resolve(error === null ? '' : error.details)
      )
    )
  }

  #token(namespace: string): Promise<string> {
    const seconds = Math.floor(Date.now() / 1_000)
    return new SignJWT({
      aud: ['countersign-ca'],
      iss: 'https://kubernetes',
      sub: `system:serviceaccount:${namespace}:orders`,
      iat: seconds,
      nbf: seconds,
      exp: seconds + 3_600,
      'kubernetes.io': {
        namespace,
        serviceaccount: { name: 'orders', uid: 'uid-sa' },
        pod: { name: 'orders-1', uid: 'uid-orders-1' },
        node: { name: 'node-1', uid: 'uid-node' }
      }
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1' })
      .sign(this.#key.privateKey)
  }

  async stop(): Promise<void> {
    this.#client?.close()
    this.#server.close()
    await new Promise(resolve => this.#listener.close(resolve))
    rmSync(this.#folder, { recursive: true })
  }
}

describe('a tenant who writes the volume of the proxy by hand', () => {
  const authority = new Authority()
  before(() => authority.start())
  after(() => authority.stop())

  // With and without a container of the name; the attributes are the tenant's.
  const byHand: readonly PodOptions[] = [
    { attributes: {} },
    { attributes: {}, proxy: false },
    { attributes: { 'countersign.dev/exclude-inbound-ports': '8080' } },
    { attributes: {}, phase: 'Pending' }
  ]

  it('a tenant whose namespace is not enrolled cannot have a certificate', async t => {
    const namespaces = [{}, ...['disabled', 'Enabled', 'true', 'yes', ''].map(value => ({ [INJECT]: value }))]
    const labels = [{}, ...['disabled', 'Enabled', 'true'].map(value => ({ [INJECT]: value }))]
    const told = new Set<string>()
    let refused = 0
    for (const options of byHand)
      for (const namespace of namespaces)
        for (const own of labels) {
          told.add(await authority.refusalOf({ ...options, labels: own }, namespace, { enrolment: DENIED }))
          refused++
        }
    assert.deepEqual(
      [...told],
      ['the pod is not enrolled: label its namespace countersign.dev/inject=enabled and create the pod again']
    )
    t.diagnostic(`${refused} variants refused`)
  })

  it('a tenant whose pod says no cannot have a certificate in an enrolled namespace', async () => {
    const labels = { [INJECT]: 'disabled' }
    assert.match(
      await authority.refusalOf({ attributes: {}, labels }, { [INJECT]: 'enabled' }, { enrolment: DENIED }),
      /not enrolled/
    )
  })

  it('a tenant of an excluded namespace cannot have a certificate, whatever labels and operator say', async t => {
    let refused = 0
    for (const unenrolledPods of ['denied', 'allowed'] as const)
      for (const floor of [undefined, floorFrom('mesh: { injection: true }')])
        for (const value of ['enabled', 'disabled']) {
          const rules = { enrolment: { ...DENIED, unenrolledPods }, ...(floor === undefined ? {} : { floor }) }
          const labels = { [INJECT]: value }
          const options = { namespace: 'kube-system', attributes: {}, labels }
          assert.match(await authority.refusalOf(options, labels, rules), /not enrolled/)
          refused++
        }
    t.diagnostic(`${refused} variants refused`)
  })

  it('a tenant under a floor cannot have a certificate for a pod whose volume opens ports, webhook or not', async t => {
    const opening = [
      ['exclude-inbound-ports', '8080'],
      ['exclude-inbound-ports', '1,65535'],
      ['exclude-interfaces', 'eth0'],
      ['exclude-interfaces', 'net1'],
      ['application-address', '127.0.0.1'],
      ['application-address', '::1']
    ]
    const floors = ['mesh', 'namespaces: { shop'].flatMap(where =>
      ['mutualTls', 'endUserChecks'].map(rule =>
        where === 'mesh' ? `mesh: { ${rule}: true }` : `${where}: { ${rule}: true } }`
      )
    )
    let refused = 0
    for (const text of floors)
      for (const unenrolledPods of ['denied', 'allowed'] as const)
        for (const [name = '', value = ''] of opening) {
          const attributes = { [`countersign.dev/${name}`]: value }
          const floor = floorFrom(text)
          const rules = { enrolment: { ...DENIED, unenrolledPods }, ...(floor === undefined ? {} : { floor }) }
          const told = await authority.refusalOf({ attributes }, { [INJECT]: 'enabled' }, rules)
          assert.match(told, /^the pod excludes ports or interfaces from its proxy/)
          refused++
        }
    t.diagnostic(`${refused} variants refused`)
  })

  it('an honest pod of an enrolled namespace has its certificate', async () => {
    const floor = floorFrom('mesh: { mutualTls: true, endUserChecks: true }')
    for (const rules of [{ enrolment: DENIED }, { enrolment: DENIED, ...(floor === undefined ? {} : { floor }) }])
      assert.equal(await authority.refusalOf({ attributes: {} }, { [INJECT]: 'enabled' }, rules), '')
  })
})

describe('a tenant who adds a second volume of the driver to a pod', () => {
  let base = ''
  let kubelet: TestKubelet
  let server: InjectedServer
  let listener: UnixListener
  before(async () => {
    base = mkdtempSync(join(tmpdir(), 'countersign-attack-'))
    mkdirSync(join(base, 'volumes'))
    kubelet = new TestKubelet(join(base, 'kubelet'))
    server = new InjectedServer(UNIX_SERVER_OPTIONS)
    const volumes = new PublishedVolumes({ podsFolder: kubelet.pods, recordsFolder: join(base, 'volumes'), log })
    const settings = { podsFolder: kubelet.pods, tokensInSecrets: false }
    const context = { log, observer: { started: () => () => {} } }
    addNodeService(server, { nodeName: 'node-1', settings, volumes, context })
    const onConnection: Parameters<typeof listenUnix>[1]['onConnection'] = socket => server.accept(socket, 'kubelet')
    listener = await listenUnix(join(base, 'csi.sock'), { mode: 0o600, onConnection })
  })
  after(async () => {
    kubelet.close()
    server.close()
    await listener.close()
    rmSync(base, { recursive: true })
  })

  it('a tenant cannot have it served under any other name', async t => {
    const names = ['aaa', 'zzz', 'countersign-2', 'countersign.x', 'xcountersign', 'c', 'countersign-proxy']
    for (const name of names) {
      const target = { targetPath: kubelet.targetPath(POD.uid, name), volumeId: volumeIdOf(POD.uid, name) }
      mkdirSync(dirname(target.targetPath), { recursive: true })
      const attributes = { 'countersign.dev/exclude-inbound-ports': '8080' }
      const change = (request: object): void => void Object.assign(request, target)
      const { code, details } = await kubelet.publish(join(base, 'csi.sock'), { attributes, change })
      assert.equal(code, 'INVALID_ARGUMENT')
      assert.match(details, new RegExp(`expected the volume countersign, got ${name}: .*remove the volume`))
      assert.equal(existsSync(target.targetPath), false)
    }
    assert.deepEqual(readdirSync(join(base, 'volumes')), [])
    assert.equal((await kubelet.publish(join(base, 'csi.sock'))).code, 'OK')
    t.diagnostic(`${names.length} variants refused`)
  })
})
