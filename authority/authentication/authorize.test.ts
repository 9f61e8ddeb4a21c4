import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import {
  type AgentByToken,
  type AgentRenewal,
  authorizeAgent,
  authorizeAgentRenewal,
  authorizeRenewal,
  authorizeWorkloadByToken,
  type PodClaims,
  type PodRecord,
  type Refusal,
  type Renewal,
  type WorkloadByToken
} from './index.ts'

const trustDomain = parseTrustDomain('cluster.local')
const now = Date.UTC(2026, 0, 1)
const MINUTE = 60_000

const pod: PodRecord = {
  uid: 'uid-1',
  namespace: 'shop',
  name: 'cart-0',
  serviceAccount: 'cart',
  node: 'node-1',
  phase: 'Running',
  deletionTime: undefined
}
const claims: PodClaims = {
  namespace: 'shop',
  serviceAccount: 'cart',
  podName: 'cart-0',
  podUid: 'uid-1',
  node: 'node-1'
}

/** What is wrong with a pod refuses it in whichever way it is asked for. */
const podRefusals: Record<string, [PodRecord | undefined, Refusal]> = {
  'a pod that nobody knows': [undefined, 'pod_unknown'],
  'a directory that answers with another pod': [{ ...pod, uid: 'uid-2' }, 'pod_unknown'],
  'a pod of another namespace': [{ ...pod, namespace: 'bank' }, 'pod_differs'],
  'a pod of another account': [{ ...pod, serviceAccount: 'admin' }, 'other_account'],
  'a pod on another node': [{ ...pod, node: 'node-2' }, 'pod_elsewhere'],
  'a pod that is not scheduled yet': [{ ...pod, node: undefined }, 'pod_elsewhere'],
  'a pod that succeeded': [{ ...pod, phase: 'Succeeded' }, 'pod_finished'],
  'a pod that failed': [{ ...pod, phase: 'Failed' }, 'pod_finished'],
  'a pod that should be gone for more than a minute': [{ ...pod, deletionTime: now - MINUTE - 1 }, 'pod_deleted']
}

/** States of a pod that change nothing. */
const podAcceptances: Record<string, PodRecord> = {
  'a running pod': pod,
  'a pod that is still starting': { ...pod, phase: 'Pending' },
  'a pod whose node does not answer at present': { ...pod, phase: 'Unknown' },
  'a pod in its grace period': { ...pod, deletionTime: now + MINUTE },
  'a pod at the very end of its leeway': { ...pod, deletionTime: now - MINUTE }
}

describe('authorizing a pod by its token', () => {
  const facts: WorkloadByToken = {
    trustDomain,
    claims,
    requestedPodUid: 'uid-1',
    callerNode: 'node-1',
    pod,
    now
  }

  for (const [what, state] of Object.entries(podAcceptances))
    it(`${what} is granted its own name`, () => {
      const granted = SpiffeId.workload(trustDomain, 'shop', 'cart')
      assert.deepEqual(authorizeWorkloadByToken({ ...facts, pod: state }), { granted })
    })

  const refusals: Record<string, [Partial<WorkloadByToken>, Refusal]> = {
    ...Object.fromEntries(
      Object.entries(podRefusals).map(([what, [state, reason]]) => [what, [{ pod: state }, reason]])
    ),
    'a token of another pod': [{ claims: { ...claims, podUid: 'uid-2' } }, 'other_pod'],
    'a token of the pod that had the same name before': [
      { requestedPodUid: 'uid-2', pod: { ...pod, uid: 'uid-2' } },
      'other_pod'
    ],
    'a request under the UID of a pod that is gone, by its old token': [{ pod: undefined }, 'pod_unknown'],
    'a token of a pod on another node': [{ claims: { ...claims, node: 'node-2' } }, 'other_node'],
    'an agent of another node': [{ callerNode: 'node-2' }, 'other_node'],
    'an agent of another node with a token that was made there': [
      { callerNode: 'node-2', claims: { ...claims, node: 'node-2' } },
      'pod_elsewhere'
    ],
    'a token of another account': [{ claims: { ...claims, serviceAccount: 'admin' } }, 'other_account'],
    'a token of another namespace': [{ claims: { ...claims, namespace: 'bank' } }, 'pod_differs'],
    'a token of a pod of another name': [{ claims: { ...claims, podName: 'cart-1' } }, 'pod_differs']
  }
  for (const [what, [change, refused]] of Object.entries(refusals))
    it(`${what} is refused`, () => {
      assert.deepEqual(authorizeWorkloadByToken({ ...facts, ...change }), { refused })
    })
})

describe('a pod from which certificates are withheld', () => {
  const granted = SpiffeId.workload(trustDomain, 'shop', 'cart')
  const ask = (pod: PodRecord) => ({
    first: authorizeWorkloadByToken({ trustDomain, claims, requestedPodUid: 'uid-1', callerNode: 'node-1', pod, now }),
    renewal: authorizeRenewal({
      ...{ trustDomain, current: granted, proofValid: true, requestedPodUid: 'uid-1', callerNode: 'node-1', pod, now }
    })
  })

  for (const reason of ['pod_not_enrolled', 'pod_below_floor'] as const) {
    it(`is refused its first one: ${reason}`, () => {
      const { first, renewal } = ask({ ...pod, withheld: { reason, fromRenewal: false } })
      assert.deepEqual([first, renewal], [{ refused: reason }, { granted }])
    })

    it(`is refused every one: ${reason}`, () => {
      const { first, renewal } = ask({ ...pod, withheld: { reason, fromRenewal: true } })
      assert.deepEqual([first, renewal], [{ refused: reason }, { refused: reason }])
    })

    it(`is not told so by who does not speak for it: ${reason}`, () => {
      const { first, renewal } = ask({ ...pod, node: 'node-2', withheld: { reason, fromRenewal: true } })
      assert.deepEqual([first, renewal], [{ refused: 'pod_elsewhere' }, { refused: 'pod_elsewhere' }])
    })
  }
})

describe('authorizing a renewal', () => {
  const current = SpiffeId.workload(trustDomain, 'shop', 'cart')
  const facts: Renewal = {
    trustDomain,
    current,
    proofValid: true,
    requestedPodUid: 'uid-1',
    callerNode: 'node-1',
    pod,
    now
  }

  for (const [what, state] of Object.entries(podAcceptances))
    it(`${what} is granted the name it has`, () => {
      assert.deepEqual(authorizeRenewal({ ...facts, pod: state }), { granted: current })
    })

  const refusals: Record<string, [Partial<Renewal>, Refusal]> = {
    ...Object.fromEntries(
      Object.entries(podRefusals).map(([what, [state, reason]]) => [what, [{ pod: state }, reason]])
    ),
    'a certificate without its key': [{ proofValid: false }, 'proof'],
    'a certificate of a foreign trust domain': [
      { current: SpiffeId.workload(parseTrustDomain('elsewhere'), 'shop', 'cart') },
      'other_trust_domain'
    ],
    'the certificate of an agent': [{ current: SpiffeId.agent(trustDomain, 'node-1') }, 'not_a_workload'],
    'the certificate of the authority': [{ current: SpiffeId.authority(trustDomain) }, 'not_a_workload'],
    'a stolen certificate in the hands of an agent of another node': [{ callerNode: 'node-2' }, 'pod_elsewhere'],
    'a stolen certificate for a pod of another account': [
      { requestedPodUid: 'uid-9', pod: { ...pod, uid: 'uid-9', serviceAccount: 'admin' } },
      'other_account'
    ],
    'a stolen certificate after its pod is gone': [{ pod: undefined }, 'pod_unknown']
  }
  for (const [what, [change, refused]] of Object.entries(refusals))
    it(`${what} is refused`, () => {
      assert.deepEqual(authorizeRenewal({ ...facts, ...change }), { refused })
    })
})

const account = { namespace: 'countersign-system', serviceAccount: 'countersign-agent' }
const agentPod: PodRecord = { ...pod, ...account, name: 'agent-x', uid: 'uid-agent' }

describe('authorizing an agent by its token', () => {
  const agentClaims: PodClaims = { ...account, podName: 'agent-x', podUid: 'uid-agent', node: 'node-1' }
  const facts: AgentByToken = { trustDomain, claims: agentClaims, account, pod: agentPod, now }

  it('an agent is granted the name of the node in its token', () => {
    assert.deepEqual(authorizeAgent(facts), { granted: SpiffeId.agent(trustDomain, 'node-1') })
  })

  const refusals: Record<string, [Partial<AgentByToken>, Refusal]> = {
    'a token of a workload': [{ claims, pod }, 'not_the_agent'],
    'a token of the same account in another namespace': [
      { claims: { ...agentClaims, namespace: 'shop' } },
      'not_the_agent'
    ],
    'a token of another account in the same namespace': [
      { claims: { ...agentClaims, serviceAccount: 'countersign-authority' } },
      'not_the_agent'
    ],
    'an agent pod that nobody knows': [{ pod: undefined }, 'pod_unknown'],
    'an agent pod that is known on another node': [{ pod: { ...agentPod, node: 'node-2' } }, 'pod_elsewhere'],
    'a pod that is known under another account': [{ pod: { ...agentPod, serviceAccount: 'cart' } }, 'other_account'],
    'an agent pod that is known under another name': [{ pod: { ...agentPod, name: 'agent-y' } }, 'pod_differs'],
    'an agent pod that finished': [{ pod: { ...agentPod, phase: 'Failed' } }, 'pod_finished'],
    'an agent pod that was deleted': [{ pod: { ...agentPod, deletionTime: now - 2 * MINUTE } }, 'pod_deleted']
  }
  for (const [what, [change, refused]] of Object.entries(refusals))
    it(`${what} is refused`, () => {
      assert.deepEqual(authorizeAgent({ ...facts, ...change }), { refused })
    })
})

describe('authorizing an agent over mutual TLS', () => {
  const facts: AgentRenewal = { trustDomain, node: 'node-1', pods: [agentPod], now }
  const ended: PodRecord = { ...agentPod, phase: 'Failed' }

  it('an agent is granted its name again while a pod of the agents runs on its node', () => {
    const granted = SpiffeId.agent(trustDomain, 'node-1')
    assert.deepEqual(authorizeAgentRenewal(facts), { granted })
    assert.deepEqual(authorizeAgentRenewal({ ...facts, pods: [ended, agentPod] }), { granted })
  })

  const refusals: Record<string, readonly PodRecord[]> = {
    'no pod of the agents at all': [],
    'only pods of agents that ended': [ended, { ...agentPod, deletionTime: now - 2 * MINUTE }],
    'only pods of agents on other nodes': [{ ...agentPod, node: 'node-2' }]
  }
  for (const [what, pods] of Object.entries(refusals))
    it(`with ${what} on its node it is refused`, () => {
      assert.deepEqual(authorizeAgentRenewal({ ...facts, pods }), { refused: 'no_agent_pod' })
    })
})
