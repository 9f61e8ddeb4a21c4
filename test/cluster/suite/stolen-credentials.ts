// Run on a node, as somebody who has all that its agent has: tries to get the identity of a pod that runs elsewhere.
//
// In: as JSON on standard input, the address of the authority, the pod that runs on this node, the one that does not.
// Out: as JSON, what became of each attempt: `issued`, or the status that the authority answered with.

import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { create } from '@bufbuild/protobuf'
import { type ServiceError, status } from '@grpc/grpc-js'
import { SvidFile } from '../../../agent/state/svid-file.ts'
import { parseTrustDomain, SpiffeId } from '../../../shared/identity/index.ts'
import { createLogger } from '../../../shared/log/index.ts'
import {
  CertificateAuthority,
  IssueAgentRequestSchema
} from '../../../shared/proto/gen/countersign/ca/v1/certificate_authority_pb.js'
import { readVolumeRecord, recordedVolumeIds } from '../../../shared/volume/index.ts'
import { createCertificateRequest, generateKeyPair, signRenewalProof } from '../../../shared/x509/index.ts'
import {
  callAuthority,
  connectToAuthority,
  type HeldIdentity,
  issueWithProof,
  issueWithToken
} from '../../authority-client.ts'

/** A pod by what its identity is made of. */
export interface PodNamed {
  readonly uid: string
  readonly namespace: string
  readonly serviceAccount: string
}

export interface Task {
  /** `host:port` of the authority. */
  readonly authority: string
  /** Names of the two nodes. */
  readonly node: string
  readonly otherNode: string
  /** Where the kubelet put the agent's token and the trust bundle. */
  readonly tokenFile: string
  readonly bundleFile: string
  readonly own: PodNamed
  readonly other: PodNamed
}

export type Outcomes = Readonly<Record<string, string>>

const STATE = '/run/countersign'
const trustDomain = parseTrustDomain('cluster.local')

async function attempt(task: Task): Promise<Outcomes> {
  const { authority, own, other, node, otherNode } = task
  const log = createLogger('test', 'fatal')
  const svidOf = (file: string, owner: string): HeldIdentity => {
    const found = new SvidFile(`${STATE}/${file}`, owner, log).load()
    if (found === undefined) throw new Error(`there is no usable ${file}`)
    return { privateKey: found.privateKey, chain: found.chain.map(({ der }) => der) }
  }
  const agent = svidOf('agent.json', 'agent')
  const workload = svidOf(`identities/${own.uid}.json`, own.uid)
  const agentToken = readFileSync(task.tokenFile, 'utf8')
  const records = recordedVolumeIds(`${STATE}/volumes`).map(id => readVolumeRecord(`${STATE}/volumes`, id))
  const ownToken = records.find(record => record?.pod.uid === own.uid)?.token ?? ''

  const roots = readFileSync(task.bundleFile, 'utf8')
  const client = connectToAuthority(authority, roots, agent)
  const anonymous = connectToAuthority(authority, roots)
  const request = async (id: SpiffeId): Promise<Buffer> => createCertificateRequest(await generateKeyPair(), id)
  const workloadOf = (pod: PodNamed): SpiffeId => SpiffeId.workload(trustDomain, pod.namespace, pod.serviceAccount)
  const agentOf = async (name: string): Promise<unknown> => {
    const csr = await request(SpiffeId.agent(trustDomain, name))
    const asked = create(IssueAgentRequestSchema, { csr, token: agentToken })
    return callAuthority(anonymous, CertificateAuthority.method.issueAgent, asked)
  }
  const renewalBy = async ({ chain, privateKey }: HeldIdentity): Promise<unknown> => {
    const csr = await request(workloadOf(other))
    return issueWithProof(client, other.uid, csr, chain, signRenewalProof(privateKey, csr))
  }
  const attempts: Readonly<Record<string, () => Promise<unknown>>> = {
    // Without these two, whatever follows could fail for another reason.
    'its own pod, by the token of that pod': async () =>
      issueWithToken(client, own.uid, await request(workloadOf(own)), ownToken),
    'its own agent': () => agentOf(node),
    'the other pod, by the token of its own pod': async () =>
      issueWithToken(client, other.uid, await request(workloadOf(other)), ownToken),
    'the other pod’s name for its own pod': async () =>
      issueWithToken(client, own.uid, await request(workloadOf(other)), ownToken),
    'the other pod, by the token of the agent': async () =>
      issueWithToken(client, other.uid, await request(workloadOf(other)), agentToken),
    'the other pod, renewed by the identity of the agent': () => renewalBy(agent),
    'the other pod, renewed by the identity of its own pod': () => renewalBy(workload),
    'the agent of the other node': () => agentOf(otherNode)
  }
  const outcomes: Record<string, string> = {}
  for (const [what, act] of Object.entries(attempts))
    outcomes[what] = await act().then(
      () => 'issued',
      (error: ServiceError) => `${status[error.code]}: ${error.details}`
    )
  client.close()
  anonymous.close()
  return outcomes
}

if (import.meta.main) console.log(JSON.stringify(await attempt(JSON.parse(await text(process.stdin)) as Task)))
