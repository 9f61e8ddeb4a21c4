// Capture for real: the program of the privileged container, with no more rights than it has in a cluster, asked as
// the agent asks it, programs network namespaces; real connections tell what became of them. Needs root.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readlinkSync, writeFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { type ServiceError, status } from '@grpc/grpc-js'
import jsonPatch from 'fast-json-patch'
import { NodeCapture } from '../../agent/capture/index.ts'
import { checkAttributes } from '../../agent/volume/attributes.ts'
import { DELIVERY_SOURCE } from '../../shared/bootstrap/index.ts'
import { parseOptions } from '../../shared/config/index.ts'
import { exclusionsOf } from '../../shared/exclusions/index.ts'
import { injectPod } from '../../webhook/injection/index.ts'
import { WEBHOOK_OPTIONS } from '../../webhook/options.ts'
import type { Pod } from '../../webhook/pod/index.ts'
import { injectionSettings } from '../../webhook/settings.ts'
import type { Answer } from './peer.ts'
import {
  end,
  eventually,
  INSIDE,
  link,
  linkAgain,
  Namespace,
  OUTSIDE,
  PodCgroup,
  run,
  SECOND,
  startProxy,
  USER
} from './pod.ts'
import { Program } from './program.ts'
import { addOthers, deliveryRoutes, hasOthers, hostState, MEANS, rulesBy, timesCaptured } from './rules.ts'

const refusal = (code: status, details: RegExp) => (thrown: Error) => {
  const cause = thrown.cause as ServiceError
  assert.equal(status[cause.code], status[code])
  assert.match(cause.details, details)
  return true
}

/** What the webhook writes into the volume of a pod that has these annotations. */
function attributesOf(annotations: Record<string, string>): Record<string, string> {
  const settings = injectionSettings(parseOptions(WEBHOOK_OPTIONS, [], {}))
  const pod: Pod = { metadata: { annotations }, spec: { containers: [{ name: 'app' }] } }
  const result = injectPod(pod, 'shop', settings)
  assert.ok(result.kind === 'patch', JSON.stringify(result))
  const { newDocument } = jsonPatch.applyPatch(pod, [...result.patch], true)
  return newDocument.spec?.volumes?.[0]?.csi?.volumeAttributes ?? {}
}

for (const means of MEANS) {
  const rulesOf = (namespace: Namespace): string => rulesBy(means, namespace)
  describe(`capture in network namespaces by ${means}`, () => {
    let host = ''
    let program: Program
    before(async () => {
      host = hostState()
      program = new Program({ capture: means })
      await program.start()
    })
    after(async () => {
      await program.close()
      assert.equal(hostState(), host, 'the network of the host was touched')
    })

    for (const family of ['ipv4', 'ipv6'] as const)
      describe(`of a pod, over ${family}`, () => {
        const uid = randomUUID()
        const urlHost = (address: string): string => (family === 'ipv6' ? `[${address}]` : address)
        const inside = INSIDE[family]
        const outside = OUTSIDE[family]
        const second = { inside: SECOND.inside[family], outside: SECOND.outside[family] }
        const loopback = family === 'ipv6' ? '::1' : '127.0.0.1'
        const url = (address: string, port: number, path = '/'): string => `http://${urlHost(address)}:${port}${path}`
        let pod: Namespace
        let world: Namespace
        let cgroup: PodCgroup
        let removeProxy: () => void

        before(async () => {
          pod = new Namespace()
          world = new Namespace()
          link(pod.name, world.name, true)
          linkAgain(pod.name, world.name)
          cgroup = new PodCgroup(uid)
          const pause = await pod.start(USER.application, ['sleep', 'infinity'], { ready: false })
          cgroup.add(pause.pid ?? 0)
          removeProxy = await startProxy(pod, true)
          await pod.serve(inside, 9000)
          await pod.serve(second.inside, 9000)
          await pod.serve(loopback, 9001)
          for (const port of [8080, 5432, 15001]) await world.serve(outside, port)
          await world.serve(second.outside, 8080)
          await world.serveUdp(outside, 5353)
        })
        after(async () => {
          await pod.close()
          await world.close()
          await cgroup.close()
          removeProxy()
        })
        const app = (target: string, from?: string): Promise<Answer> => pod.call(USER.application, target, from)
        const other = (target: string): Promise<Answer> => pod.call(USER.other, target)
        const proxy = (target: string, from?: string): Promise<Answer> => pod.call(USER.proxy, target, from)
        const client = (target: string): Promise<Answer> => world.call(USER.application, target)
        const direct = ({ by, from }: Answer, address: string): void => assert.deepEqual([by, from], ['app', address])
        const captured = ({ by, destination }: Answer, port: number, original: string): void =>
          assert.deepEqual([by, destination], [String(port), original])
        const destination = (address: string, port: number): string => `${urlHost(address)}:${port}`

        it('does not happen before it is asked for', async () => {
          direct(await app(url(outside, 8080)), inside)
          direct(await client(url(inside, 9000)), outside)
        })

        it('leads an outgoing connection to the proxy, which learns where it was going', async () => {
          await program.apply(uid)
          captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
          captured(await app(url(outside, 15001)), 15001, destination(outside, 15001))
          captured(await pod.call(0, url(outside, 8080)), 15001, destination(outside, 8080))
        })

        it('leads an outgoing connection to the proxy although nobody is there', async () => {
          captured(await app(url(outside, 1)), 15001, destination(outside, 1))
        })

        it('lets the proxy itself go out', async () => {
          direct(await proxy(url(outside, 8080)), inside)
        })

        it('leads an incoming connection to the proxy, which learns where it was going', async () => {
          captured(await client(url(inside, 9000)), 15006, destination(inside, 9000))
          captured(await client(url(inside, 9999)), 15006, destination(inside, 9999))
        })

        it('does not show connections to 15001 and 15006 as anything else: they can be told and refused', async () => {
          captured(await client(url(inside, 15006)), 15006, destination(inside, 15006))
          captured(await client(url(inside, 15001)), 15006, destination(inside, 15001))
          captured(await app(url(loopback, 15001)), 15001, destination(loopback, 15001))
        })

        for (const port of [15020, 15021, 15090])
          it(`leaves port ${port} of the proxy alone`, async () => {
            captured(await client(url(inside, port)), port, destination(inside, port))
          })

        it('lets the proxy deliver to an application that listens on the address of the pod alone', async () => {
          const { by, from, destination: reached } = await client(url(inside, 9000, '/deliver'))
          assert.deepEqual([by, from], ['app', DELIVERY_SOURCE[family]])
          assert.equal(reached, `${inside}:9000`)
        })

        it('does not expose an application that listens on localhost alone', async () => {
          const { by, error } = await client(url(inside, 9001, '/deliver'))
          assert.deepEqual([by, error], [undefined, undefined], 'the proxy answers that there is nobody')
        })

        it('leads a call of the proxy to its own pod to its inbound port', async () => {
          captured(await proxy(url(inside, 9000)), 15006, destination(inside, 9000))
        })

        it('leaves calls of the proxy to localhost alone, and to its own open ports', async () => {
          direct(await proxy(url(loopback, 9001)), loopback)
          captured(await proxy(url(inside, 15021)), 15021, destination(inside, 15021))
        })

        it('leaves calls within the pod alone', async () => {
          direct(await app(url(inside, 9000)), inside)
          direct(await app(url(loopback, 9001)), loopback)
        })

        it('does not let an application out by the source address of deliveries', async () => {
          // IPv4: the connection is led to the proxy. IPv6: the kernel refuses an address that no interface has.
          const { by } = await app(url(outside, 8080), DELIVERY_SOURCE[family])
          assert.notEqual(by, 'app')
        })

        it('leaves datagrams alone', async () => {
          const answer = await pod.callUdp(USER.application, outside, 5353)
          assert.deepEqual([answer.by, answer.destination], ['app', `${outside}:5353`])
        })

        it('lets pass what is excluded, and nothing else', async () => {
          await program.apply(uid, { excludedInboundPorts: [9000], excludedOutboundPorts: [5432] })
          direct(await client(url(inside, 9000)), outside)
          direct(await app(url(outside, 5432)), inside)
          direct(await proxy(url(inside, 9000)), inside)
          captured(await client(url(inside, 9002)), 15006, destination(inside, 9002))
          captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
        })

        it('lets pass excluded addresses, overlapping or of the other family as well', async () => {
          const ranges = {
            ipv4: ['10.0.0.0/8', '10.99.0.0/16', '10.99.0.77/16'],
            ipv6: ['fd00::/8', 'fd99::/16', 'fd99::77/16']
          }
          await program.apply(uid, { excludedOutboundCidrs: [...ranges.ipv4, ...ranges.ipv6] })
          direct(await app(url(outside, 8080)), inside)
          await program.apply(uid, { excludedOutboundCidrs: family === 'ipv4' ? ranges.ipv6 : ranges.ipv4 })
          captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
        })

        it('leads connections of every interface and every user to the proxy that are not excluded', async () => {
          await program.apply(uid)
          captured(await app(url(second.outside, 8080)), 15001, destination(second.outside, 8080))
          captured(await client(url(second.inside, 9000)), 15006, destination(second.inside, 9000))
          captured(await other(url(outside, 8080)), 15001, destination(outside, 8080))
        })

        it('lets pass an excluded interface in both directions, and no other interface', async () => {
          await program.apply(uid, { excludedInterfaces: ['net1', 'not-there'] })
          direct(await app(url(second.outside, 8080)), second.inside)
          direct(await client(url(second.inside, 9000)), second.outside)
          captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
          captured(await client(url(inside, 9000)), 15006, destination(inside, 9000))
          captured(await proxy(url(inside, 9000)), 15006, destination(inside, 9000))
        })

        it('knows an interface by its whole name', async () => {
          await program.apply(uid, { excludedInterfaces: ['net', 'net10', 'et1'] })
          captured(await app(url(second.outside, 8080)), 15001, destination(second.outside, 8080))
          captured(await client(url(second.inside, 9000)), 15006, destination(second.inside, 9000))
        })

        it('lets pass what an excluded user opens, and what no other does', async () => {
          await program.apply(uid, { excludedOutboundUsers: [0, USER.other] })
          direct(await other(url(outside, 8080)), inside)
          direct(await pod.call(0, url(outside, 8080)), inside)
          captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
          captured(await client(url(inside, 9000)), 15006, destination(inside, 9000))
          captured(await proxy(url(inside, 9000)), 15006, destination(inside, 9000))
        })

        it('takes as much as may be excluded', async () => {
          const numbers = Array.from({ length: 64 }, (_, index) => index + 1)
          await program.apply(uid, {
            excludedInboundPorts: numbers,
            excludedOutboundPorts: numbers,
            excludedOutboundCidrs: numbers.map(index => (index % 2 ? `192.0.2.${index}/32` : `2001:db8::${index}/128`)),
            excludedInterfaces: numbers.map(index => `interface-${index}.x`),
            excludedOutboundUsers: numbers.map(index => 2_147_483_647 - index)
          })
          captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
        })

        const refused: Record<string, [Parameters<Program['apply']>[1], RegExp]> = {
          'a port of the proxy': [{ excludedInboundPorts: [15006] }, /excluded_inbound_ports 15006/],
          'the interface within the pod': [{ excludedInterfaces: ['lo'] }, /excluded_interfaces "lo"/],
          'interfaces by a wildcard': [{ excludedInterfaces: ['net*'] }, /excluded_interfaces "net\*"/],
          'a rule': [{ excludedInterfaces: ['a" accept #'] }, /excluded_interfaces "a\\" accept #"/],
          'the user of the proxy': [{ excludedOutboundUsers: [1337] }, /excluded_outbound_users 1337/]
        }
        for (const [what, [fields, details]] of Object.entries(refused))
          it(`refuses to exclude ${what}, and leaves the rules as they were`, async () => {
            const rules = rulesOf(pod)
            await assert.rejects(program.apply(uid, fields), refusal(status.FAILED_PRECONDITION, details))
            assert.equal(rulesOf(pod), rules)
          })

        it('is asked for by the agent as the annotations of the pod say, by way of its volume', async () => {
          const annotations = {
            'countersign.dev/exclude-inbound-ports': '9000',
            'countersign.dev/exclude-outbound-ports': '5432',
            'countersign.dev/exclude-outbound-cidrs': '192.0.2.0/24, 2001:db8::/32',
            'countersign.dev/exclude-interfaces': 'net1',
            'countersign.dev/exclude-outbound-users': String(USER.other)
          }
          const { accepted, problems } = checkAttributes(attributesOf(annotations))
          assert.deepEqual(problems, [])
          const agent = new NodeCapture(program.socket)
          await agent.apply(uid, exclusionsOf(accepted)).finally(() => agent.close())
          direct(await client(url(inside, 9000)), outside)
          direct(await client(url(second.inside, 9000)), second.outside)
          direct(await app(url(outside, 5432)), inside)
          direct(await app(url(second.outside, 8080)), second.inside)
          direct(await other(url(outside, 8080)), inside)
          captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
          captured(await client(url(inside, 9002)), 15006, destination(inside, 9002))
        })

        it('no longer excludes what it is not asked to', async () => {
          await program.apply(uid)
          captured(await client(url(inside, 9000)), 15006, destination(inside, 9000))
          captured(await app(url(outside, 5432)), 15001, destination(outside, 5432))
          captured(await other(url(outside, 8080)), 15001, destination(outside, 8080))
          captured(await client(url(second.inside, 9000)), 15006, destination(second.inside, 9000))
        })

        it('applied again leaves the same rules, and every connection open', async () => {
          const excluded = {
            excludedInboundPorts: [9100],
            excludedOutboundPorts: [5432],
            excludedOutboundCidrs: ['192.0.2.0/24', '2001:db8::/32'],
            excludedInterfaces: ['net1'],
            excludedOutboundUsers: [USER.other]
          }
          await program.apply(uid, excluded)
          const sessions = await Promise.all([
            pod.session(USER.application, url(outside, 8080)),
            pod.session(USER.application, url(outside, 5432)),
            pod.session(USER.other, url(outside, 8080)),
            pod.session(USER.application, url(second.outside, 8080)),
            world.session(USER.application, url(second.inside, 9000)),
            pod.session(USER.proxy, url(inside, 9000)),
            pod.session(USER.proxy, url(outside, 8080)),
            world.session(USER.application, url(inside, 9000)),
            world.session(USER.application, url(inside, 9000, '/deliver'))
          ])
          const answers = (): Promise<Answer[]> => Promise.all(sessions.map(next => next()))
          const first = await answers()
          for (const { error } of first) assert.equal(error, undefined)
          const rules = rulesOf(pod)
          const routes = deliveryRoutes(pod)
          for (let round = 0; round < 5; round++) {
            await program.apply(uid, excluded)
            assert.deepEqual(await answers(), first, 'the same ports at this end: the same connections')
          }
          assert.equal(rulesOf(pod), rules)
          assert.equal(deliveryRoutes(pod), routes)
          // Even where the rules change for new connections.
          await program.apply(uid, { excludedInboundPorts: [9000], excludedOutboundCidrs: ['0.0.0.0/0', '::/0'] })
          assert.deepEqual(await answers(), first)
          direct(await app(url(outside, 8080)), inside)
        })

        it('asked for many times at once comes to the same', async () => {
          await Promise.all(Array.from({ length: 20 }, () => program.apply(uid)))
          captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
          assert.equal(timesCaptured(pod), 1)
        })

        it('has no moment without rules while they are replaced', async () => {
          const calls = Array.from({ length: 8 }, async () => {
            captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
            captured(await client(url(inside, 9000)), 15006, destination(inside, 9000))
          })
          let done = false
          const replaced = (async () => {
            for (let round = 0; round < 5 || !done; round++)
              await program.apply(uid, { excludedOutboundPorts: [(round % 2) + 1] })
          })()
          await Promise.all(calls).finally(() => {
            done = true
          })
          await replaced
        })

        it('leaves rules of others alone, and comes before them', async () => {
          addOthers(means, pod, 'tcp')
          await program.apply(uid)
          assert.ok(hasOthers(means, pod))
          assert.equal(timesCaptured(pod), 1)
          captured(await client(url(inside, 9000)), 15006, destination(inside, 9000))
          captured(await app(url(outside, 8080)), 15001, destination(outside, 8080))
        })
      })

    describe('of a pod without IPv6', () => {
      it('adds no address to it, and the route of IPv4 alone', async () => {
        const uid = randomUUID()
        const [pod, world] = [new Namespace(), new Namespace()]
        link(pod.name, world.name, false)
        const cgroup = new PodCgroup(uid)
        const pause = await pod.start(USER.application, ['sleep', 'infinity'], { ready: false })
        cgroup.add(pause.pid ?? 0)
        const addresses = run('ip', '-n', pod.name, 'address', 'show', 'dev', 'lo')
        await program.apply(uid)
        assert.equal(run('ip', '-n', pod.name, 'address', 'show', 'dev', 'lo'), addresses)
        assert.match(deliveryRoutes(pod), /^local 192\.0\.2\.6 dev lo .*\n$/)
        assert.equal(timesCaptured(pod), 1)
        await pod.close()
        await world.close()
        await cgroup.close()
      })
    })

    describe('finds a pod by its processes', () => {
      const open: Namespace[] = []
      const cgroups: PodCgroup[] = []
      const children: ChildProcess[] = []
      afterEach(async () => {
        for (const child of children.splice(0)) await end(child)
        for (const namespace of open.splice(0)) await namespace.close()
        for (const cgroup of cgroups.splice(0)) await cgroup.close()
      })
      const namespace = (): Namespace => {
        const one = new Namespace()
        open.push(one)
        return one
      }
      const podCgroup = (uid: string): PodCgroup => {
        const one = new PodCgroup(uid)
        cgroups.push(one)
        return one
      }
      const sleepIn = async (one: Namespace, cgroup: PodCgroup): Promise<ChildProcess> => {
        const child = await one.start(USER.application, ['sleep', 'infinity'], { ready: false })
        cgroup.add(child.pid ?? 0)
        return child
      }

      it('and says when there is none', async () => {
        await assert.rejects(program.apply(randomUUID()), refusal(status.NOT_FOUND, /no process of pod/))
      })

      it('and touches nobody else’s network', async () => {
        const [uid, other] = [randomUUID(), randomUUID()]
        const [mine, theirs] = [namespace(), namespace()]
        await sleepIn(mine, podCgroup(uid))
        await sleepIn(theirs, podCgroup(other))
        await program.apply(uid)
        assert.match(rulesOf(mine), /countersign/i)
        assert.doesNotMatch(rulesOf(theirs), /countersign/i)
      })

      it('and refuses one on the network of its node', async () => {
        const uid = randomUUID()
        const child = spawn('sleep', ['infinity'], { stdio: 'ignore' })
        children.push(child)
        podCgroup(uid).add(child.pid ?? 0)
        await assert.rejects(program.apply(uid), refusal(status.FAILED_PRECONDITION, /uses the network of its node/))
      })

      it('and passes over what the runtime runs for it on the node', async () => {
        const uid = randomUUID()
        const cgroup = podCgroup(uid)
        const conmon = spawn('sleep', ['infinity'], { stdio: 'ignore' })
        children.push(conmon)
        cgroup.add(conmon.pid ?? 0)
        const one = namespace()
        await sleepIn(one, cgroup)
        await program.apply(uid)
        assert.match(rulesOf(one), /countersign/i)
      })

      it('and passes over namespaces that the pod made for itself', async () => {
        const uid = randomUUID()
        const cgroup = podCgroup(uid)
        const [one, nested] = [namespace(), namespace()]
        await sleepIn(one, cgroup)
        await sleepIn(nested, cgroup)
        await program.apply(uid)
        assert.match(rulesOf(one), /countersign/i)
        assert.doesNotMatch(rulesOf(nested), /countersign/i)
      })

      it('and captures it anew when its sandbox was made anew', async () => {
        const uid = randomUUID()
        const cgroup = podCgroup(uid)
        const [first, second] = [namespace(), namespace()]
        const pause = await sleepIn(first, cgroup)
        await program.apply(uid)
        await end(pause)
        await sleepIn(second, cgroup)
        await program.apply(uid)
        assert.match(rulesOf(second), /countersign/i)
      })

      it('and knows the proxy, and users that are excluded, by the numbers that they have in the user namespace of the pod', async () => {
        const uid = randomUUID()
        const child = spawn('unshare', ['--user', '--net', 'sleep', 'infinity'], { stdio: 'ignore' })
        children.push(child)
        const own = readlinkSync('/proc/self/ns/net')
        await eventually(
          () => readlinkSync(`/proc/${child.pid}/ns/net`) !== own,
          'the process is in a namespace of its own'
        )
        for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${child.pid}/${map}`, '0 100000 65536')
        podCgroup(uid).add(child.pid ?? 0)
        const pod = new Namespace(child.pid)
        const world = namespace()
        open.push(pod)
        link(pod.name, world.name, false)
        await world.serve(OUTSIDE.ipv4, 8080)
        await pod.serve('127.0.0.1', 15001, 0)
        if (means !== 'nftables') {
          await assert.rejects(program.apply(uid), refusal(status.UNAVAILABLE, /users of its own \(hostUsers: false\)/))
          return
        }
        await program.apply(uid)
        const call = (user: number): string =>
          run(
            'nsenter',
            ...[`--target=${child.pid}`, '--user', '--net', `--setuid=${user}`, `--setgid=${user}`],
            ...['bash', '-c', `exec 3<>/dev/tcp/${OUTSIDE.ipv4}/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`]
          )
        assert.match(call(USER.application), /^x-destination: 127\.0\.0\.1:15001\r$/m)
        assert.match(call(USER.proxy), /^x-destination: 10\.99\.0\.1:8080\r$/m)
        await program.apply(uid, { excludedOutboundUsers: [USER.other] })
        assert.match(call(USER.other), /^x-destination: 10\.99\.0\.1:8080\r$/m)
        assert.match(call(USER.application), /^x-destination: 127\.0\.0\.1:15001\r$/m)
      })
    })
  })
}
