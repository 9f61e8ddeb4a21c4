// The source address of what a proxy delivers: whom a real application takes its callers for, and that senders
// outside of the pod cannot use it. Needs root.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import { DELIVERY_SOURCE, PROXY_PORTS } from '../../shared/bootstrap/index.ts'
import { probePath } from '../../shared/probes/index.ts'
import { MutualTlsMode, Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type CapturedPod, startCapturedPod } from './direct-pod.ts'
import type { Answer } from './peer.ts'
import { INSIDE, link, Namespace, OUTSIDE, PodCgroup, run, startProxy, USER } from './pod.ts'
import { Program } from './program.ts'
import { MEANS } from './rules.ts'
import type { Believed } from './trusting-app.ts'

const FAMILIES = ['ipv4', 'ipv6'] as const
const FORMER = { ipv4: '127.0.0.6', ipv6: '::6' } as const
const PORT = { http: 9000, undeclared: 9001, strict: 9002 } as const
const inUrl = (address: string): string => (address.includes(':') ? `[${address}]` : address)
const url = (address: string, port: number, path = '/'): string => `http://${inUrl(address)}:${port}${path}`

const FORGERIES: Readonly<Record<string, string>>[] = [
  { 'x-forwarded-for': '127.0.0.1' },
  { 'x-forwarded-for': '203.0.113.9' },
  { 'x-forwarded-for': '10.0.0.1, 127.0.0.1' },
  { 'x-forwarded-for': DELIVERY_SOURCE.ipv4 },
  { 'x-forwarded-for': '::1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example' },
  { 'X-Forwarded-For': '127.0.0.1', 'x-real-ip': '127.0.0.1', forwarded: 'for=127.0.0.1;proto=https' }
]

for (const capture of ['nftables', 'iptables-nft', 'iptables-legacy'] as const)
  describe(`an application that trusts local proxies, captured by ${capture},`, () => {
    let program: Program
    let pod: Namespace
    let world: Namespace
    let proxy: CapturedPod
    before(async () => {
      program = new Program({ capture })
      await program.start()
      pod = new Namespace()
      world = new Namespace()
      link(pod.name, world.name, true)
      // Strict reverse path filtering, as some distributions set it.
      for (const name of ['all', 'default', 'lo', 'eth0']) pod.set(`ipv4/conf/${name}/rp_filter`, 1)
      const root = await newRoot()
      proxy = await startCapturedPod(pod, program, newState({ roots: [root] }), {
        workload: newWorkload({
          ...{ uid: randomUUID(), addresses: [INSIDE.ipv4, INSIDE.ipv6], mode: MutualTlsMode.PERMISSIVE },
          ports: [{ number: PORT.http, protocol: Protocol.HTTP }],
          portModes: { [PORT.strict]: MutualTlsMode.STRICT }
        }),
        svid: await newSvid(root, spiffeId('shop', 'orders')),
        interception: { kind: 'redirect' },
        probes: [
          {
            container: 'api',
            kind: 'readiness',
            protocol: 'http',
            port: PORT.http,
            path: '/probed',
            scheme: 'HTTP',
            headers: []
          },
          {
            container: 'api',
            kind: 'preStop',
            protocol: 'http',
            port: PORT.http,
            path: '/hooked',
            scheme: 'HTTP',
            headers: []
          }
        ]
      })
      for (const port of Object.values(PORT))
        await pod.start(USER.application, [
          process.execPath,
          join(import.meta.dirname, 'trusting-app.ts'),
          String(port)
        ])
    })
    after(async () => {
      await pod.close()
      await world.close()
      await proxy.close()
      await program.close()
    })
    const believed = async (caller: Namespace, target: string, headers = {}): Promise<Believed> => {
      const { status, body = '', error } = await caller.ask(USER.application, target, headers)
      assert.deepEqual([status, error], [200, undefined], body)
      return JSON.parse(body) as Believed
    }
    const refused = async (caller: Namespace, user: number, target: string): Promise<void> =>
      assert.equal((await caller.ask(user, target)).status, undefined)

    it('believes the headers of a caller within its pod: that is what it is configured for', async () => {
      const { ip, from } = await believed(pod, url('127.0.0.1', PORT.http), { 'x-forwarded-for': '203.0.113.9' })
      assert.deepEqual([ip, from], ['203.0.113.9', '127.0.0.1'])
    })

    for (const family of FAMILIES)
      it(`does not believe what a caller outside of its pod forges, over ${family}`, async test => {
        let count = 0
        for (const port of [PORT.http, PORT.undeclared])
          for (const headers of FORGERIES) {
            const host = `${inUrl(INSIDE[family])}:${port}`
            const { ip, protocol, host: named, from } = await believed(world, url(INSIDE[family], port), headers)
            const source = DELIVERY_SOURCE[family]
            assert.deepEqual([ip, protocol, named, from], [source, 'http', host, source], JSON.stringify(headers))
            count++
          }
        test.diagnostic(`${count} forged sets of headers are not believed`)
      })

    it('is probed, and called by hooks, from the same address', async () => {
      for (const kind of ['readiness', 'preStop'] as const) {
        const asked = await world.ask(USER.application, url(INSIDE.ipv4, PROXY_PORTS.probes, probePath('api', kind)))
        assert.equal(asked.status, 200)
      }
      const { seen } = await believed(pod, url('127.0.0.1', PORT.http))
      for (const path of ['/probed', '/hooked'])
        assert.deepEqual(
          new Set(seen.filter(one => one.path === path).map(({ from }) => from)),
          new Set([DELIVERY_SOURCE.ipv4])
        )
    })

    it('is called at the address of deliveries through its proxy alone, from outside and by its own proxy', async test => {
      let count = 0
      for (const family of FAMILIES) {
        const address = DELIVERY_SOURCE[family]
        world.run('ip', 'route', 'add', address, 'via', INSIDE[family])
        // Delivered like a call of the pod's own address, once.
        const { from } = await believed(world, url(address, PORT.http))
        assert.equal(from, address)
        for (const target of [INSIDE[family], address]) {
          await refused(world, USER.application, url(target, PORT.strict))
          await refused(pod, USER.proxy, url(target, PORT.strict))
          count += 2
        }
        world.run('ip', 'route', 'del', address, 'via', INSIDE[family])
      }
      const { seen } = await believed(pod, url('127.0.0.1', PORT.strict))
      assert.equal(seen.length, 1, 'nobody but this caller came through')
      test.diagnostic(`${count} calls of a strict port in plaintext are refused`)
    })
  })

for (const means of MEANS)
  describe(`a hostile pod that sends from the source address of deliveries to a pod captured by ${means}`, () => {
    const uid = randomUUID()
    let program: Program
    let pod: Namespace
    let world: Namespace
    let cgroup: PodCgroup
    let removeProxy: () => void
    before(async () => {
      program = new Program({ capture: means })
      await program.start()
      pod = new Namespace()
      world = new Namespace()
      link(pod.name, world.name, true)
      cgroup = new PodCgroup(uid)
      const pause = await pod.start(USER.application, ['sleep', 'infinity'], { ready: false })
      cgroup.add(pause.pid ?? 0)
      removeProxy = await startProxy(pod, true)
      await pod.serve('::', 9000)
      for (const address of ['192.0.2.6/32', '127.0.0.6/32']) world.run('ip', 'address', 'add', address, 'dev', 'pod')
      for (const address of ['2001:db8::6/128', '::6/128'])
        world.run('ip', 'address', 'add', address, 'dev', 'pod', 'nodad')
      await program.apply(uid)
    })
    after(async () => {
      await pod.close()
      await world.close()
      await cgroup.close()
      removeProxy()
      await program.close()
    })
    const SPOOFED = [
      [INSIDE.ipv4, DELIVERY_SOURCE.ipv4],
      [INSIDE.ipv4, FORMER.ipv4],
      [INSIDE.ipv6, DELIVERY_SOURCE.ipv6],
      [INSIDE.ipv6, FORMER.ipv6]
    ] as const
    const spoof = (): Promise<Answer[]> =>
      Promise.all(SPOOFED.map(([inside, from]) => world.call(USER.application, url(inside, 9000), from)))

    it('cannot connect: the answers stay in the pod that it sends to', async () => {
      for (const { by } of await spoof()) assert.equal(by, undefined)
      // Without the checks that refuse an own address, 127.0.0.0/8 or an unexpected interface as a source.
      for (const name of ['all', 'eth0']) {
        pod.set(`ipv4/conf/${name}/rp_filter`, 0)
        pod.set(`ipv4/conf/${name}/accept_local`, 1)
        pod.set(`ipv4/conf/${name}/route_localnet`, 1)
      }
      for (const { by } of await spoof()) assert.equal(by, undefined)
    })

    it('cannot pass the proxy where the pod has lost its routes either: the rules alone redirect it', async test => {
      for (const [flag, address] of [
        ['-4', DELIVERY_SOURCE.ipv4],
        ['-6', DELIVERY_SOURCE.ipv6]
      ] as const)
        run('ip', flag, '-n', pod.name, 'route', 'del', 'local', address, 'table', 'local')
      pod.run('ip', 'route', 'add', DELIVERY_SOURCE.ipv4, 'via', OUTSIDE.ipv4)
      for (const address of [DELIVERY_SOURCE.ipv6, FORMER.ipv6])
        pod.run('ip', 'route', 'add', address, 'via', OUTSIDE.ipv6)
      const answers = await spoof()
      // The kernel never sends to 127.0.0.0/8 of another machine.
      assert.deepEqual(
        answers.map(({ by }) => by),
        ['15006', undefined, '15006', '15006']
      )
      test.diagnostic(`${answers.length} spoofed sources do not reach the application`)
      pod.run('ip', 'route', 'del', DELIVERY_SOURCE.ipv4, 'via', OUTSIDE.ipv4)
      pod.run('ip', 'route', 'del', DELIVERY_SOURCE.ipv6, 'via', OUTSIDE.ipv6)
    })

    it('cannot disturb deliveries once the pod is captured again', async () => {
      await program.apply(uid)
      for (const family of FAMILIES) {
        const { by, from } = await world.call(USER.application, url(INSIDE[family], 9000, '/deliver'))
        assert.deepEqual([by, from], ['app', DELIVERY_SOURCE[family]])
      }
    })
  })

for (const means of MEANS)
  describe(`a proxy that was configured by an earlier version, captured by ${means},`, () => {
    const uid = randomUUID()
    let program: Program
    let pod: Namespace
    let world: Namespace
    let cgroup: PodCgroup
    let removeProxy: () => void
    before(async () => {
      program = new Program({ capture: means })
      await program.start()
      pod = new Namespace()
      world = new Namespace()
      link(pod.name, world.name, true)
      // As the earlier version captured it.
      run('ip', '-n', pod.name, 'address', 'add', '::6/128', 'dev', 'lo')
      cgroup = new PodCgroup(uid)
      const pause = await pod.start(USER.application, ['sleep', 'infinity'], { ready: false })
      cgroup.add(pause.pid ?? 0)
      removeProxy = await startProxy(pod, true, FORMER)
      await pod.serve('::', 9000)
      await program.apply(uid)
    })
    after(async () => {
      await pod.close()
      await world.close()
      await cgroup.close()
      removeProxy()
      await program.close()
    })

    it('delivers from its former address, in connections that are open and in new ones', async () => {
      const expected = FAMILIES.map(family => ['app', FORMER[family]])
      const targets = FAMILIES.map(family => url(INSIDE[family], 9000, '/deliver'))
      const sessions = await Promise.all(targets.map(target => world.session(USER.application, target)))
      const answers = (): Promise<Answer[]> => Promise.all(sessions.map(next => next()))
      const seen = (all: readonly Answer[]) => all.map(({ by, from }) => [by, from])
      const first = await answers()
      assert.deepEqual(seen(first), expected)
      await program.apply(uid)
      assert.deepEqual(await answers(), first, 'the same connections')
      const later = await Promise.all(targets.map(target => world.call(USER.application, target)))
      assert.deepEqual(seen(later), expected)
    })
  })
