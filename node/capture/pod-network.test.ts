import assert from 'node:assert/strict'
import { fstatSync, linkSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { type PodNetwork, PodProcesses } from './index.ts'
import { openPodNetwork } from './pod-network.ts'
import type { PodProcess } from './pod-processes.ts'
import { FakeProc, SHIM } from './proc.test-support.ts'

const POD = '5f3c9f2e-8b1d-4c7a-9e61-0d2b8a6f4c11'
const OTHER = '00000000-0000-4000-8000-000000000002'

describe('the network namespace of a pod', () => {
  let proc: FakeProc
  let processes: PodProcesses
  let opened: PodNetwork[] = []
  let descriptors = 0
  beforeEach(() => {
    proc = new FakeProc()
    processes = new PodProcesses(proc.path)
    opened = []
    descriptors = readdirSync('/proc/self/fd').length
  })
  afterEach(() => {
    for (const network of opened) network.close()
    proc.remove()
    assert.equal(readdirSync('/proc/self/fd').length, descriptors, 'a descriptor was left open')
  })

  const open = async (pod = POD, found = processes): Promise<PodNetwork> => {
    const network = await openPodNetwork(pod, found, proc.path)
    opened.push(network)
    return network
  }
  const nameOf = ({ descriptor }: PodNetwork): string | undefined =>
    readdirSync(join(proc.path, 'namespaces')).find(
      name => statSync(proc.namespace(name)).ino === fstatSync(descriptor).ino
    )
  /** Something happens between the look at the processes and the opening of a namespace. */
  const meanwhile = (change: (found: readonly PodProcess[]) => void): PodProcesses => {
    class Interrupted extends PodProcesses {
      override async find(podUid: string): Promise<readonly PodProcess[]> {
        const found = await super.find(podUid)
        change(found)
        return found
      }
    }
    return new Interrupted(proc.path)
  }

  it('is that of its processes', async () => {
    proc.add({ pid: 300, pod: OTHER, network: 'other' })
    proc.add({ pid: 301, pod: POD, network: 'pod' })
    assert.equal(nameOf(await open()), 'pod')
    assert.equal(nameOf(await open(OTHER)), 'other')
  })

  it('is that of the oldest where the pod made further ones, whatever the process ids', async () => {
    proc.add({ pid: 200, pod: POD, startTime: 900, network: 'nested' })
    proc.add({ pid: 300, pod: POD, startTime: 100, network: 'pod' })
    proc.add({ pid: 400, pod: POD, startTime: 500, network: 'pod' })
    assert.equal(nameOf(await open()), 'pod')
  })

  it('is not that of a process which the runtime runs for the pod on the node', async () => {
    proc.add({ pid: 200, pod: POD, startTime: 1, network: 'node', program: 'conmon' })
    proc.add({ pid: 300, pod: POD, startTime: 2, network: 'pod' })
    assert.equal(nameOf(await open()), 'pod')
  })

  it('is found although a program has a strange name', async () => {
    proc.add({ pid: 200, pod: POD, startTime: 1, network: 'pod', program: 'a) R 1 (b' })
    assert.equal(nameOf(await open()), 'pod')
  })

  for (const [title, ipv6, expected] of [
    ['no IPv6 address', '', false],
    ['one on lo', '00000000000000000000000000000001 01 80 10 80       lo\n', false],
    ['the proxy’s own on lo', '00000000000000000000000000000006 01 80 00 80       lo\n', false],
    ['one of the link alone', 'fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n', false],
    ['one of the cluster', 'fd000000000000000000000000000002 04 40 00 82     eth0\n', true],
    [
      'all of these',
      '00000000000000000000000000000001 01 80 10 80       lo\nfe80000000000000 04 40 20 80 eth0\nfd00000000000000 04 40 00 82 eth0\n',
      true
    ]
  ] as const)
    it(`${expected ? 'has' : 'has no'} IPv6 with ${title}`, async () => {
      proc.add({ pid: 300, pod: POD, network: 'pod', ipv6 })
      const { hasIpv6, speaksIpv6 } = await open()
      assert.deepEqual([hasIpv6, speaksIpv6], [expected, true])
    })

  it('has no IPv6 where the kernel has none', async () => {
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    rmSync(join(proc.path, '300/net/if_inet6'))
    const { hasIpv6, speaksIpv6 } = await open()
    assert.deepEqual([hasIpv6, speaksIpv6], [false, false])
  })

  it('has tables of iptables-legacy where there is one called nat in either family, or that cannot be read', async () => {
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    const file = (name: string): string => join(proc.path, '300/net', name)
    const has = async (): Promise<boolean> => (await open()).hasLegacyTables
    assert.equal(await has(), false)
    writeFileSync(file('ip_tables_names'), 'filter\nmangle\n')
    assert.equal(await has(), false)
    writeFileSync(file('ip6_tables_names'), 'filter\nnat\n')
    assert.equal(await has(), true)
    rmSync(file('ip6_tables_names'))
    mkdirSync(file('ip6_tables_names'))
    assert.equal(await has(), true)
  })

  it('has users of its own where its processes have another user namespace than this one', async () => {
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    writeFileSync(join(proc.path, 'self/ns/user'), '')
    linkSync(join(proc.path, 'self/ns/user'), join(proc.path, '300/ns/user'))
    assert.equal((await open()).hasOwnUsers, false)
    rmSync(join(proc.path, '300/ns/user'))
    writeFileSync(join(proc.path, '300/ns/user'), '')
    assert.equal((await open()).hasOwnUsers, true)
  })

  for (const [title, network] of [
    ['of the node', 'node'],
    ['of this program', 'agent']
  ] as const)
    it(`is refused when it is that ${title}`, async () => {
      proc.add({ pid: 300, pod: POD, network })
      proc.add({ pid: 301, pod: POD, network })
      await assert.rejects(open(), { code: 'ERR_CAPTURE_REFUSED', message: /uses the network of its node/ })
    })

  for (const [title, prepare] of [
    ['no process is the pod’s', () => proc.add({ pid: 300, pod: OTHER, network: 'other' })],
    ['there is no process at all', () => {}]
  ] as const)
    it(`is not found when ${title}`, async () => {
      prepare()
      await assert.rejects(open(), { code: 'ERR_POD_NOT_FOUND', message: `no process of pod ${POD} runs on this node` })
    })

  it('is not found when the process ends before it is opened', async () => {
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    await assert.rejects(
      open(
        POD,
        meanwhile(() => proc.end(300))
      ),
      { code: 'ERR_POD_NOT_FOUND' }
    )
  })

  it('is that of the next process when the first ends before it is opened', async () => {
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    proc.add({ pid: 301, pod: POD, network: 'pod' })
    assert.equal(
      nameOf(
        await open(
          POD,
          meanwhile(() => proc.end(300))
        )
      ),
      'pod'
    )
  })

  it('is never that of another pod whose process got the same id', async () => {
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    const reused = meanwhile(() => proc.add({ pid: 300, pod: OTHER, network: 'other' }))
    await assert.rejects(open(POD, reused), { code: 'ERR_POD_NOT_FOUND' })
  })

  it('is never that of a later process with the same id, even of the same pod', async () => {
    proc.add({ pid: 300, pod: POD, startTime: 300, network: 'pod' })
    const reused = meanwhile(() => proc.add({ pid: 300, pod: POD, startTime: 999, network: 'nested' }))
    await assert.rejects(open(POD, reused), { code: 'ERR_POD_NOT_FOUND' })
  })

  it('is never that of the node, when the process has gone back there', async () => {
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    await assert.rejects(
      open(
        POD,
        meanwhile(() => proc.move(300, 'node'))
      ),
      { code: 'ERR_CAPTURE_REFUSED' }
    )
  })

  it('is refused when it is that of whoever started the pod, on a node that is a container itself', async () => {
    proc.move(SHIM, 'container')
    proc.add({ pid: 300, pod: POD, network: 'container' })
    await assert.rejects(open(), { code: 'ERR_CAPTURE_REFUSED' })
    proc.add({ pid: 301, pod: POD, network: 'pod' })
    assert.equal(nameOf(await open()), 'pod')
  })

  it('is told from that of the node by the first process outside of the pod', async () => {
    proc.add({ pid: 60, pod: POD, startTime: 1, network: 'node', parent: 1, program: 'conmon' })
    proc.add({ pid: 300, pod: POD, startTime: 2, network: 'pod', parent: 60 })
    proc.add({ pid: 301, pod: POD, startTime: 3, network: 'nested', parent: 300 })
    assert.equal(nameOf(await open()), 'pod')
    proc.move(300, 'node')
    proc.move(301, 'node')
    await assert.rejects(open(), { code: 'ERR_CAPTURE_REFUSED' })
  })

  it('is found where the first process of all may not be looked at', async () => {
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    proc.end(1)
    assert.equal(nameOf(await open()), 'pod')
  })

  for (const [title, parents] of [
    ['there is none', [0]],
    ['it has ended', [999]],
    ['the chain of parents is a circle', [301, 300]]
  ] as const)
    it(`is not taken for the pod’s own when it cannot be asked who started it: ${title}`, async () => {
      for (const [index, parent] of parents.entries()) proc.add({ pid: 300 + index, pod: POD, network: 'pod', parent })
      await assert.rejects(open(), { code: 'ERR_POD_NOT_FOUND' })
    })

  it('is found for all who ask in the same moment', async () => {
    proc.add({ pid: 300, pod: POD, network: 'pod' })
    proc.add({ pid: 301, pod: OTHER, network: 'other' })
    const networks = await Promise.all([open(POD), open(OTHER), open(POD)])
    assert.deepEqual(networks.map(nameOf), ['pod', 'other', 'pod'])
  })

  it('cannot be looked for where procfs is missing', async () => {
    const missing = new PodProcesses(join(proc.path, 'nowhere'))
    const both = [missing.find(POD), missing.find(OTHER)]
    for (const look of both) await assert.rejects(look, { code: 'ENOENT' })
  })
})
