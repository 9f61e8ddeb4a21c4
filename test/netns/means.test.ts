// Which means of capture the program chooses, and what becomes of a pod on a node that changed from one to another:
// two programs of a node, one after the other. Needs root.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import type { ServiceError } from '@grpc/grpc-js'
import type { MeansName } from '../../node/capture/means.ts'
import { INSIDE, link, Namespace, OUTSIDE, PodCgroup, startProxy, USER } from './pod.ts'
import { Program, type ProgramOptions } from './program.ts'
import { addOthers, hasOthers, hostState, MEANS, rulesBy, timesCaptured } from './rules.ts'

const NFT = '/usr/sbin/nft'
const IPTABLES_NFT = '/usr/sbin/xtables-nft-multi'
const IPTABLES_LEGACY = '/usr/sbin/xtables-legacy-multi'

const programs: Program[] = []
const started = async (options: ProgramOptions): Promise<Program> => {
  const program = new Program(options)
  programs.push(program)
  await program.start()
  return program
}

let host = ''
before(() => {
  host = hostState()
})
afterEach(async () => {
  for (const program of programs.splice(0)) await program.close()
})
after(() => assert.equal(hostState(), host, 'the network of the host was touched'))

describe('the means of capture', () => {
  const chosen: Record<string, [ProgramOptions, MeansName]> = {
    'is nftables where it works': [{}, 'nftables'],
    'is iptables-nft without nft': [{ withoutPrograms: [NFT] }, 'iptables-nft'],
    'is iptables-legacy without both': [{ withoutPrograms: [NFT, IPTABLES_NFT] }, 'iptables-legacy'],
    'is iptables-nft when iptables is asked for': [{ capture: 'iptables' }, 'iptables-nft'],
    'is iptables-legacy when iptables is asked for and the other kind is not there': [
      { capture: 'iptables', withoutPrograms: [IPTABLES_NFT] },
      'iptables-legacy'
    ],
    'is what is asked for by name': [{ capture: 'iptables-legacy' }, 'iptables-legacy']
  }
  for (const [title, [options, means]] of Object.entries(chosen))
    it(title, async () => {
      const { output } = await started(options)
      assert.match(output, new RegExp(`"means":"${means}".*means of capture chosen`))
    })

  const refused: Record<string, [ProgramOptions, RegExp]> = {
    'no program is there': [
      { withoutPrograms: [NFT, IPTABLES_NFT, IPTABLES_LEGACY] },
      /capture by auto does not work here: nftables: .*execute nft.*; iptables-nft: .*execute ip6tables-nft-save.*; iptables-legacy: .*execute ip6tables-legacy-save/
    ],
    'the one that is asked for is not there': [
      { capture: 'nftables', withoutPrograms: [NFT] },
      /capture by nftables does not work here: nftables: .*execute nft/
    ],
    'a capability is missing': [
      { capture: 'iptables-legacy', withoutCapabilities: ['net_raw'] },
      /iptables-legacy: .*ermission denied/
    ],
    'no namespace may be entered': [
      { withoutCapabilities: ['sys_admin'] },
      /no network namespace can be made for a trial: .*unshare/
    ]
  }
  for (const [title, [options, reason]] of Object.entries(refused))
    it(`is none when ${title}: the program runs, says why, and captures nothing`, async () => {
      const program = await started(options)
      const line = program.output.split('\n').find(text => text.includes('no traffic can be captured'))
      assert.match(line ?? '', reason)
      const uid = randomUUID()
      const pod = new Namespace()
      const cgroup = new PodCgroup(uid)
      const pause = await pod.start(USER.application, ['sleep', 'infinity'], { ready: false })
      cgroup.add(pause.pid ?? 0)
      await assert.rejects(program.apply(uid), ({ cause }: Error) => reason.test((cause as ServiceError).details))
      assert.equal(timesCaptured(pod), 0)
      await pod.close()
      await cgroup.close()
    })
})

describe('a pod that was captured by another means', () => {
  const uid = randomUUID()
  let pod: Namespace
  let world: Namespace
  let cgroup: PodCgroup
  let removeProxy: () => void
  before(async () => {
    pod = new Namespace()
    world = new Namespace()
    link(pod.name, world.name, true)
    cgroup = new PodCgroup(uid)
    const pause = await pod.start(USER.application, ['sleep', 'infinity'], { ready: false })
    cgroup.add(pause.pid ?? 0)
    removeProxy = await startProxy(pod, true)
    await world.serve('::', 8080)
    for (const means of MEANS) addOthers(means, pod, 'udp')
  })
  after(async () => {
    await pod.close()
    await world.close()
    await cgroup.close()
    removeProxy()
  })

  for (const from of MEANS)
    for (const to of MEANS.filter(means => means !== from))
      it(`stays captured, once, when ${from} becomes ${to}`, async () => {
        const [earlier, later] = [await started({ capture: from }), await started({ capture: to })]
        await earlier.apply(uid)
        assert.equal(timesCaptured(pod), 1)
        const open = await pod.session(USER.application, `http://${OUTSIDE.ipv4}:8080/`)
        const first = await open()
        assert.equal(first.by, '15001')

        const calls = [
          [OUTSIDE.ipv4, INSIDE.ipv4],
          [`[${OUTSIDE.ipv6}]`, `[${INSIDE.ipv6}]`]
        ].flatMap(([outside, inside]) => [
          async () => assert.equal((await pod.call(USER.application, `http://${outside}:8080/`)).by, '15001'),
          async () => assert.equal((await world.call(USER.application, `http://${inside}:9000/`)).by, '15006')
        ])
        await Promise.all([later.apply(uid), ...calls.map(call => call())])
        for (const call of calls) await call()

        assert.equal(timesCaptured(pod), 1)
        assert.match(rulesBy(to, pod), /countersign/i)
        for (const means of MEANS) assert.ok(hasOthers(means, pod), `${means}: rules of others are there`)
        assert.deepEqual(await open(), first, 'the same connection')
        assert.doesNotMatch(later.output, /were not taken away/)
      })
})
