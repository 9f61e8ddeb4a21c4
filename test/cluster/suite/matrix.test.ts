// Every combination of client, server, policy, protocol and address: what is spoken between them, by what the server's
// side says.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../../../cli/local/index.ts'
import { KINDS } from '../applications/protocols/kinds.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import {
  type Address,
  type Cell,
  cellsOf,
  DISABLED_BY_PORT,
  ENDS,
  type End,
  expectedOf,
  MODES,
  outcomeOf,
  type PolicyMode,
  type Row,
  rowsOf
} from './matrix-cells.ts'
import { INJECT } from './pods.ts'
import { addressOf, heardBy, ProtocolsClient, protocolsPod, protocolsService, statisticsAt } from './protocols.ts'

const NAMESPACE = 'matrix'
// Each worker of a proxy keeps connections, and lets them go when the other end stops using what they came by: after
// the drain time.
const DRAIN_TIME = '1s'
const CONVERGENCE_MS = 60_000

const clientName = (end: End): string => `client-${end}`
const serverName = (end: End): string => `server-${end}`

const nameOf = ({ kind, address }: Cell): string => `${kind} by ${address}`

/** The policy of every server; under `by port`, for the one that can have a policy by port: with a selector. */
function policy(mode: PolicyMode): object {
  const mtls = { mode: mode === 'by port' ? 'STRICT' : mode }
  const ports = DISABLED_BY_PORT.map(kind => [KINDS[kind].port, { mode: 'DISABLE' }])
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'servers', namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app: serverName('injected') } },
      mtls,
      // Merged by kubectl: what is not said stays.
      portLevelMtls: mode === 'by port' ? Object.fromEntries(ports) : null
    }
  }
}

describe('the matrix', { timeout: 600_000 }, () => {
  let cluster: Cluster
  let round = 0
  const addresses: Record<string, string> = {}

  before(async () => {
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await installChart(cluster, ['--set-string', `proxy.drainTime=${DRAIN_TIME}`])
    await cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { [INJECT]: 'enabled' } } },
      ...ENDS.flatMap(end => [
        ...protocolsPod({ namespace: NAMESPACE, name: clientName(end), node: 'node0', injected: end === 'injected' }),
        ...protocolsPod({ namespace: NAMESPACE, name: serverName(end), node: 'node1', injected: end === 'injected' }),
        protocolsService(NAMESPACE, serverName(end), serverName(end)),
        protocolsService(NAMESPACE, `${serverName(end)}-headless`, serverName(end), true)
      ])
    )
    for (const name of ENDS.flatMap(end => [clientName(end), serverName(end)]))
      addresses[name] = await addressOf(cluster, NAMESPACE, name)
  })
  after(stopOwnCluster)

  const addressFor = (server: End, address: Address): string => {
    const name = serverName(server)
    const by: Readonly<Record<Address, string>> = {
      Service: `${name}.${NAMESPACE}`,
      headless: `${name}-headless.${NAMESPACE}`,
      'pod IP': addresses[name] ?? ''
    }
    return by[address]
  }

  /** What becomes of each cell of a row, now. */
  const outcomesOf = async (row: Row): Promise<Record<string, string>> => {
    round++
    const { client, server } = row
    const statistics = server === 'injected' ? { statistics: [statisticsAt(addresses[serverName(server)] ?? '')] } : {}
    const cells = cellsOf(row).map(cell => ({ cell, id: `${round} ${nameOf(cell)}` }))
    const results = await new ProtocolsClient(cluster, NAMESPACE, clientName(client)).makeCalls(
      cells.map(({ cell, id }) => ({
        id,
        kind: cell.kind,
        address: addressFor(server, cell.address),
        ...statistics
      }))
    )
    const heard = await heardBy(cluster, NAMESPACE, serverName(server))
    const identity = new RegExp(`URI=spiffe://cluster\\.local/ns/${NAMESPACE}/sa/${clientName(client)}$`)
    return Object.fromEntries(
      cells.map(({ cell, id }, index) => {
        const result = results[index]
        assert.equal(result?.id, id)
        const own = heard.filter(({ kind, echo }) => kind === cell.kind && echo === id)
        return [nameOf(cell), outcomeOf(cell, result, own, identity)]
      })
    )
  }

  it('has 288 cells', () => {
    assert.equal(MODES.flatMap(rowsOf).flatMap(cellsOf).length, 288)
  })

  for (const mode of MODES)
    describe(`under ${mode}`, () => {
      before(() => cluster.apply(policy(mode)))

      for (const row of rowsOf(mode))
        it(`is as the rules say between a client that is ${row.client} and a server that is ${row.server}`, async () => {
          const expected = Object.fromEntries(cellsOf(row).map(cell => [nameOf(cell), expectedOf(cell)]))
          // A policy arrives when it arrives; what counts is a row that is right as a whole.
          const look = async (): Promise<true> => {
            assert.deepEqual(await outcomesOf(row), expected)
            return true
          }
          await until('the row', look, { timeoutMs: CONVERGENCE_MS, intervalMs: 500 }).catch(({ cause }) => {
            throw cause
          })
        })
    })
})
