// An identity cannot be had by another: requests as an attacker with the best of positions would make them, sent to a
// real authority over real TLS. Each must be refused with its reason in the log and one sentence for the caller.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomUUID, sign, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { type Client, type ServiceError, status } from '@grpc/grpc-js'
import { type LocalMesh, type LocalPod, localPod, TokenIssuer, until } from '../../cli/local/index.ts'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import {
  CertificateAuthority,
  IssueAgentRequestSchema,
  IssueWorkloadRequestSchema
} from '../../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import { createCertificateRequest, generateKeyPair, type KeyPair, signRenewalProof } from '../../shared/x509/index.ts'
import { callAuthority, connectToAuthority, issueWithProof, issueWithToken } from '../authority-client.ts'
import { startTestMesh } from './shop.ts'

const SENTENCE = 'the request was refused; the reason is in the log of the authority'
const trustDomain = parseTrustDomain('cluster.local')
const ORDERS = SpiffeId.workload(trustDomain, 'shop', 'orders')

interface Identity {
  readonly keyPair: KeyPair
  readonly chain: readonly Uint8Array[]
}

describe('an identity', () => {
  let mesh: LocalMesh
  let close: () => Promise<void>
  let folder: string
  const clients: Client[] = []
  const pods: Record<'orders' | 'guest' | 'elsewhere' | 'agent' | 'otherAgent' | 'deleted', LocalPod> = {} as never
  let agent: Client
  let orders: Identity

  const pod = (namespace: string, name: string, serviceAccount: string, node: string): LocalPod =>
    localPod(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace, name, uid: randomUUID() },
        spec: { serviceAccountName: serviceAccount, containers: [{ name: 'app', image: 'app' }] }
      },
      { ...mesh.placement(), node }
    )

  const connect = (identity?: Identity): Client => {
    const client = connectToAuthority(
      mesh.address('authority').listen,
      readFileSync(mesh.layout.bundleFile, 'utf8'),
      identity && { privateKey: identity.keyPair.privateKey, chain: identity.chain }
    )
    clients.push(client)
    return client
  }

  const issueAgent = async (own: LocalPod, from = connect()): Promise<Identity> => {
    const keyPair = await generateKeyPair()
    const csr = createCertificateRequest(keyPair, SpiffeId.agent(trustDomain, own.node))
    const request = create(IssueAgentRequestSchema, { csr, token: await mesh.token(own) })
    return {
      keyPair,
      chain: (await callAuthority(from, CertificateAuthority.method.issueAgent, request)).certificateChain
    }
  }

  const ordersCsr = async (): Promise<Buffer> => createCertificateRequest(await generateKeyPair(), ORDERS)

  /** A request made by OpenSSL: `extensions` as in its configuration file. */
  const opensslCsr = (
    extensions: string,
    subject = '/',
    key = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  ): Buffer => {
    const config = join(folder, `${randomUUID()}.cnf`)
    writeFileSync(
      config,
      `[req]\ndistinguished_name=name\nprompt=no\n${extensions && 'req_extensions=extensions'}\n[name]\n[extensions]\n${extensions}\n`
    )
    const args = [
      'req',
      '-new',
      '-newkey',
      ...key,
      '-nodes',
      '-keyout',
      '/dev/null',
      '-subj',
      subject,
      '-config',
      config,
      '-outform',
      'DER'
    ]
    return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  }

  const refusalsLogged = (): string[] =>
    mesh
      .program('authority')
      .output.map(line => JSON.parse(line) as Record<string, unknown>)
      .filter(line => line['msg'] === 'certificate refused')
      .map(line => String(line['reason']))

  before(async () => {
    folder = mkdtempSync('/tmp/countersign-test-')
    ;({ mesh, close } = await startTestMesh({ network: '84.0', certificateLifetime: '1h' }))
    // Nobody else asks meanwhile.
    await mesh.program('agent').stop()
    pods.orders = pod('shop', 'orders-1', 'orders', 'node-1')
    pods.guest = pod('shop', 'guest-1', 'guest', 'node-1')
    pods.elsewhere = pod('shop', 'orders-2', 'orders', 'node-2')
    pods.deleted = pod('shop', 'orders-0', 'orders', 'node-1')
    pods.agent = pod('countersign-system', 'agent-1', 'countersign-agent', 'node-1')
    pods.otherAgent = pod('countersign-system', 'agent-2', 'countersign-agent', 'node-2')
    const { deleted: _, ...present } = pods
    await mesh.apply('identity', ...Object.values(present).map(({ manifest }) => manifest))
    agent = connect(await until('the authority to know the agent', () => issueAgent(pods.agent).catch(() => undefined)))
    const keyPair = await generateKeyPair()
    const issued = await issueWithToken(
      agent,
      pods.orders.uid,
      createCertificateRequest(keyPair, ORDERS),
      await mesh.token(pods.orders)
    )
    orders = { keyPair, chain: issued.certificateChain }
  })

  after(async () => {
    for (const client of clients) client.close()
    await close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('is had by the pod itself: by its token, and by its current key', async () => {
    const csr = await ordersCsr()
    const renewed = await issueWithProof(
      agent,
      pods.orders.uid,
      csr,
      orders.chain,
      signRenewalProof(orders.keyPair.privateKey, csr)
    )
    const [leaf] = renewed.certificateChain
    assert.ok(leaf)
    assert.match(new X509Certificate(leaf).subjectAltName ?? '', /spiffe:\/\/cluster\.local\/ns\/shop\/sa\/orders$/)
  })

  const NAME = `URI:${ORDERS}`
  const token = (changes = {}): Promise<string> => mesh.token(pods.orders, changes)
  const refused: readonly (readonly [who: string, reason: string, attempt: () => Promise<unknown>])[] = [
    // The request.
    [
      'asks for another name',
      'other_name',
      async () =>
        issueWithToken(
          agent,
          pods.orders.uid,
          createCertificateRequest(await generateKeyPair(), SpiffeId.workload(trustDomain, 'shop', 'guest')),
          await token()
        )
    ],
    [
      'asks for the name of an agent',
      'other_name',
      async () =>
        issueWithToken(
          agent,
          pods.orders.uid,
          createCertificateRequest(await generateKeyPair(), SpiffeId.agent(trustDomain, 'node-1')),
          await token()
        )
    ],
    [
      'asks for its name in another trust domain',
      'other_name',
      async () =>
        issueWithToken(
          agent,
          pods.orders.uid,
          createCertificateRequest(
            await generateKeyPair(),
            SpiffeId.workload(parseTrustDomain('other.org'), 'shop', 'orders')
          ),
          await token()
        )
    ],
    [
      'asks for a second URI',
      'extra_name',
      async () =>
        issueWithToken(
          agent,
          pods.orders.uid,
          opensslCsr(`subjectAltName=${NAME},URI:spiffe://cluster.local/ns/shop/sa/guest`),
          await token()
        )
    ],
    [
      'asks for a DNS name besides',
      'extra_name',
      async () =>
        issueWithToken(agent, pods.orders.uid, opensslCsr(`subjectAltName=${NAME},DNS:orders.shop.svc`), await token())
    ],
    ['asks for no name', 'no_name', async () => issueWithToken(agent, pods.orders.uid, opensslCsr(''), await token())],
    [
      'asks to be an authority',
      'extension',
      async () =>
        issueWithToken(
          agent,
          pods.orders.uid,
          opensslCsr(`subjectAltName=${NAME}\nbasicConstraints=critical,CA:TRUE`),
          await token()
        )
    ],
    [
      'brings a subject',
      'subject',
      async () =>
        issueWithToken(agent, pods.orders.uid, opensslCsr(`subjectAltName=${NAME}`, '/CN=orders'), await token())
    ],
    [
      'has a weak key',
      'key',
      async () =>
        issueWithToken(agent, pods.orders.uid, opensslCsr(`subjectAltName=${NAME}`, '/', ['rsa:1024']), await token())
    ],
    [
      'has a key on a curve that is not ours',
      'key',
      async () =>
        issueWithToken(
          agent,
          pods.orders.uid,
          opensslCsr(`subjectAltName=${NAME}`, '/', ['ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1']),
          await token()
        )
    ],
    [
      'does not hold the key of its request',
      'signature',
      async () => {
        const csr = await ordersCsr()
        csr.writeUInt8(csr.readUInt8(csr.length - 1) ^ 1, csr.length - 1)
        return issueWithToken(agent, pods.orders.uid, csr, await token())
      }
    ],
    [
      'sends what is no request',
      'malformed',
      async () => issueWithToken(agent, pods.orders.uid, Buffer.from('request'), await token())
    ],
    // The token.
    [
      'forges a token',
      'signature',
      async () => {
        const forger = await TokenIssuer.create(join(folder, 'forged.json'))
        return issueWithToken(agent, pods.orders.uid, await ordersCsr(), await forger.issue(pods.orders))
      }
    ],
    [
      'sends a token that has expired',
      'expired',
      async () => issueWithToken(agent, pods.orders.uid, await ordersCsr(), await token({ expires: '-1h' }))
    ],
    [
      'sends a token for the API server',
      'audience',
      async () =>
        issueWithToken(
          agent,
          pods.orders.uid,
          await ordersCsr(),
          await token({ audience: ['https://kubernetes.default.svc'] })
        )
    ],
    [
      'sends a token for us and somebody else',
      'audience',
      async () =>
        issueWithToken(
          agent,
          pods.orders.uid,
          await ordersCsr(),
          await token({ audience: ['countersign-ca', 'vault'] })
        )
    ],
    [
      'sends the token of another pod',
      'other_pod',
      async () => issueWithToken(agent, pods.orders.uid, await ordersCsr(), await mesh.token(pods.guest))
    ],
    [
      'sends the token of a pod on another node',
      'other_node',
      async () => issueWithToken(agent, pods.elsewhere.uid, await ordersCsr(), await mesh.token(pods.elsewhere))
    ],
    [
      'sends a token that names another account than its pod has',
      'other_account',
      async () =>
        issueWithToken(
          agent,
          pods.guest.uid,
          await ordersCsr(),
          await mesh.token({ ...pods.guest, serviceAccount: 'orders' })
        )
    ],
    [
      'sends the token of a deleted pod',
      'pod_unknown',
      async () => issueWithToken(agent, pods.deleted.uid, await ordersCsr(), await mesh.token(pods.deleted))
    ],
    [
      'sends what is no token',
      'malformed',
      async () => issueWithToken(agent, pods.orders.uid, await ordersCsr(), 'token')
    ],
    // The stolen leaf.
    [
      'has stolen leaf and key, and is no agent',
      'anonymous',
      async () => {
        const csr = await ordersCsr()
        return issueWithProof(
          connect(),
          pods.orders.uid,
          csr,
          orders.chain,
          signRenewalProof(orders.keyPair.privateKey, csr)
        )
      }
    ],
    [
      'has stolen leaf and key, and is the agent of another node',
      'pod_elsewhere',
      async () => {
        const csr = await ordersCsr()
        const other = connect(await issueAgent(pods.otherAgent))
        return issueWithProof(
          other,
          pods.orders.uid,
          csr,
          orders.chain,
          signRenewalProof(orders.keyPair.privateKey, csr)
        )
      }
    ],
    [
      'has the leaf and not its key',
      'proof',
      async () => {
        const csr = await ordersCsr()
        const { privateKey } = await generateKeyPair()
        return issueWithProof(agent, pods.orders.uid, csr, orders.chain, signRenewalProof(privateKey, csr))
      }
    ],
    [
      'replays the proof of another request',
      'proof',
      async () =>
        issueWithProof(
          agent,
          pods.orders.uid,
          await ordersCsr(),
          orders.chain,
          sign('sha256', await ordersCsr(), orders.keyPair.privateKey)
        )
    ],
    [
      'renews for a pod of another account',
      'other_account',
      async () => {
        const csr = createCertificateRequest(await generateKeyPair(), SpiffeId.workload(trustDomain, 'shop', 'guest'))
        return issueWithProof(
          agent,
          pods.guest.uid,
          csr,
          orders.chain,
          signRenewalProof(orders.keyPair.privateKey, csr)
        )
      }
    ],
    [
      'renews for a deleted pod',
      'pod_unknown',
      async () => {
        const csr = await ordersCsr()
        return issueWithProof(
          agent,
          pods.deleted.uid,
          csr,
          orders.chain,
          signRenewalProof(orders.keyPair.privateKey, csr)
        )
      }
    ],
    [
      'proves nothing',
      'no_proof',
      async () =>
        callAuthority(
          agent,
          CertificateAuthority.method.issueWorkload,
          create(IssueWorkloadRequestSchema, { csr: await ordersCsr(), podUid: pods.orders.uid })
        )
    ],
    // The agent's own identity.
    [
      'asks for an agent with the token of a pod',
      'not_the_agent',
      async () => issueAgent({ ...pods.guest, node: 'node-1' })
    ],
    [
      'asks for the agent of another node',
      'other_name',
      async () => {
        const csr = createCertificateRequest(await generateKeyPair(), SpiffeId.agent(trustDomain, 'node-2'))
        const request = create(IssueAgentRequestSchema, { csr, token: await mesh.token(pods.agent) })
        return callAuthority(connect(), CertificateAuthority.method.issueAgent, request)
      }
    ]
  ]

  for (const [who, reason, attempt] of refused)
    it(`is refused to whoever ${who}`, async () => {
      const before = refusalsLogged().length
      const thrown = await attempt().then(
        () => assert.fail('it was issued'),
        (error: ServiceError) => error
      )
      assert.deepEqual([thrown.code, thrown.details], [status.PERMISSION_DENIED, SENTENCE])
      const reasons = await until('the reason in the log', () => {
        const logged = refusalsLogged()
        return logged.length > before ? logged : undefined
      })
      assert.equal(reasons.at(-1), reason)
    })

  it('opens no connection to the authority for a pod, whose certificate is that of nobody who may ask', async () => {
    const csr = await ordersCsr()
    const proof = signRenewalProof(orders.keyPair.privateKey, csr)
    const thrown = await issueWithProof(connect(orders), pods.orders.uid, csr, orders.chain, proof).then(
      () => assert.fail('it was issued'),
      (error: ServiceError) => error
    )
    assert.equal(thrown.code, status.UNAVAILABLE)
  })

  it('is never seen in the log of the authority: no token, no key, no request', () => {
    const text = mesh.program('authority').output.join('\n')
    assert.ok(text.includes('certificate refused'))
    for (const secret of [
      'eyJ',
      'PRIVATE KEY',
      orders.keyPair.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64').slice(40, 80)
    ])
      assert.ok(!text.includes(secret), `the log holds ${secret}`)
  })
})
