// The attacks of test/attacks that need a real cluster: real kubelets, a real API server, pods that call each other.
// One file per attacker in ./attacks.

import { after, before, describe } from 'node:test'
import { installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { compromisedNodeAttacks } from './attacks/compromised-node.ts'
import { endUserAttacks } from './attacks/end-user.ts'
import { hostilePodAttacks } from './attacks/hostile-pod.ts'
import { tenantAttacks } from './attacks/tenant.ts'
import { placeVictims, type Victims } from './attacks/victims.ts'

describe('attacks on a cluster', { timeout: 900_000 }, () => {
  let placed: Victims | undefined
  const victims = (): Victims => {
    if (placed === undefined) throw new Error('the victims are not there yet')
    return placed
  }

  before(async () => {
    const cluster = await startCluster({ ...readSettings(), installPackages: true })
    await installChart(cluster)
    placed = await placeVictims(cluster)
  })
  after(stopOwnCluster)

  describe('by a hostile pod', () => hostilePodAttacks(victims))
  describe('by a tenant', () => tenantAttacks(victims))
  describe('by a compromised node', () => compromisedNodeAttacks(victims))
  describe('by an end user', () => endUserAttacks(victims))
})
