// What changes while there is traffic: servers are replaced and policies tightened under load, and neither a request
// nor a stream that is still allowed is lost. Listeners that change close what they carry after five seconds here.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../../../cli/local/index.ts'
import type { LoadResult, LoadTarget } from '../applications/protocols/load.ts'
import type { StreamResult, StreamTarget } from '../applications/protocols/streams.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { INJECT } from './pods.ts'
import { addressOf, ProtocolsClient, protocolsDeployment, protocolsPod, protocolsService } from './protocols.ts'

const NAMESPACE = 'streams'
const DRAIN_S = 5
// What a change was to cut is cut by then.
const DRAINED_MS = (DRAIN_S + 3) * 1_000

const policy = (mode: 'STRICT' | 'PERMISSIVE'): object => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'default', namespace: NAMESPACE },
  spec: { mtls: { mode } }
})

type Ended = readonly (StreamResult | LoadResult)[]
const streamsOf = (ended: Ended): StreamResult[] => ended.filter(each => 'exchanges' in each)
const loadsOf = (ended: Ended): LoadResult[] => ended.filter(each => 'answered' in each)

function assertNothingLost(ended: Ended, { exchanges, answered }: { exchanges: number; answered: number }): void {
  const lost = [
    ...streamsOf(ended).filter(({ failure }) => failure !== undefined),
    ...loadsOf(ended).filter(({ failures }) => failures.length > 0)
  ]
  assert.deepEqual(lost, [])
  for (const stream of streamsOf(ended)) assert.ok(stream.exchanges > exchanges, JSON.stringify(stream))
  for (const load of loadsOf(ended)) assert.ok(load.answered > answered, JSON.stringify(load))
}

describe('traffic through changes', { timeout: 600_000 }, () => {
  let cluster: Cluster
  let steady: string

  before(async () => {
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await installChart(cluster, ['--set-string', `proxy.drainTime=${DRAIN_S}s`])
    const pod = (name: string, node: string, injected = true): object[] =>
      protocolsPod({ namespace: NAMESPACE, name, node, injected })
    await cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { [INJECT]: 'enabled' } } },
      ...pod('caller', 'node0'),
      ...pod('outsider', 'node0', false),
      ...pod('steady', 'node1'),
      protocolsService(NAMESPACE, 'steady', 'steady'),
      ...protocolsDeployment({ namespace: NAMESPACE, name: 'rolling', injected: true }, 2),
      protocolsService(NAMESPACE, 'rolling', 'rolling')
    )
    for (const name of ['caller', 'outsider']) await addressOf(cluster, NAMESPACE, name)
    steady = await addressOf(cluster, NAMESPACE, 'steady')
    await cluster.kubectl(['rollout', 'status', '-n', NAMESPACE, 'deployment/rolling', '--timeout=120s'])
    await cluster.apply(policy('PERMISSIVE'))
  })
  after(stopOwnCluster)

  const client = (name: string): ProtocolsClient => new ProtocolsClient(cluster, NAMESPACE, name)
  /** By the Service, and by the address of its pod, which is another way through the proxy of the client. */
  const streams = (): StreamTarget[] =>
    (['tcp', 'tcp-greeting', 'http-websocket', 'grpc'] as const).flatMap(kind =>
      [`steady.${NAMESPACE}`, steady].map(address => ({ kind, address }))
    )
  const loads = (server: string): LoadTarget[] =>
    [true, false].map(newConnections => ({ url: `http://${server}.${NAMESPACE}:8080/`, newConnections }))

  it('goes on while every pod of a server is replaced, and no stream to another server is cut', async test => {
    const caller = client('caller')
    await caller.start(streams(), loads('rolling'))
    await cluster.kubectl(['rollout', 'restart', '-n', NAMESPACE, 'deployment/rolling'])
    await cluster.kubectl(['rollout', 'status', '-n', NAMESPACE, 'deployment/rolling', '--timeout=120s'])
    await pause(DRAINED_MS)
    const ended = await caller.end()
    for (const { answered } of loadsOf(ended)) test.diagnostic(`${answered} requests were answered`)
    assertNothingLost(ended, { exchanges: 50, answered: 100 })
  })

  it('goes on when STRICT comes and goes; plaintext alone is cut by it', async () => {
    const [caller, outsider] = [client('caller'), client('outsider')]
    await caller.start(streams(), loads('steady'))
    await outsider.start(streams())
    const outsiderIs = (what: 'answered' | 'refused'): Promise<true> =>
      until(`plaintext being ${what}`, async () => {
        const [result] = await outsider.makeCalls([{ id: what, kind: 'http', address: steady }])
        return (result?.failure === undefined) === (what === 'answered') || undefined
      })
    await outsiderIs('answered')
    await cluster.apply(policy('STRICT'))
    await outsiderIs('refused')
    await pause(DRAINED_MS)
    const cut = streamsOf(await outsider.end())
    assert.deepEqual(
      cut.filter(({ failure }) => failure === undefined),
      []
    )
    await cluster.apply(policy('PERMISSIVE'))
    await outsiderIs('answered')
    await pause(DRAINED_MS)
    assertNothingLost(await caller.end(), { exchanges: 100, answered: 200 })
  })
})
