import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { canonicalAddress, isNetwork, networksContain } from './address.ts'
import { ANY_NETWORK, holds, type PodNetworks, resolveClaims } from './claims.ts'
import { podFromManifest } from './pod.ts'
import { serviceFromManifest } from './service.ts'
import type { Pod, Service } from './types.ts'

interface PodDraft {
  readonly name: string
  readonly addresses?: readonly string[]
  readonly created?: number | undefined
  readonly phase?: string
  readonly hostNetwork?: boolean
  readonly mirror?: boolean
  readonly node?: string
}

function pod({ name, addresses = ['10.0.0.1'], created, phase = 'Running', ...rest }: PodDraft): Pod {
  const { value, issues } = podFromManifest({
    metadata: {
      ...{ name, namespace: 'shop', uid: `uid-${name}` },
      ...(created === undefined ? {} : { creationTimestamp: new Date(created * 1_000).toISOString() }),
      ...(rest.mirror ? { annotations: { 'kubernetes.io/config.mirror': 'x' } } : {})
    },
    spec: { nodeName: rest.node ?? 'node-1', hostNetwork: rest.hostNetwork, containers: [{ name: 'app' }] },
    status: { phase, podIPs: addresses.map(ip => ({ ip })) }
  })
  assert.deepEqual(issues, [])
  assert.ok(value)
  return value
}

const service = (address: string): Service => {
  const { value } = serviceFromManifest({
    metadata: { name: 'orders', namespace: 'shop' },
    spec: { clusterIP: address, ports: [{ port: 80 }] }
  })
  assert.ok(value)
  return value
}

interface Context {
  readonly services?: readonly Service[]
  readonly networks?: PodNetworks
  readonly previous?: readonly Pod[]
}

const resolve = (drafts: readonly PodDraft[], { services = [], networks = ANY_NETWORK, previous = [] }: Context = {}) =>
  resolveClaims(drafts.map(pod), { services, networks, previous })

/** `a: 10.0.0.1`, one line for each address that a pod holds. */
const held = ({ pods }: ReturnType<typeof resolve>): readonly string[] =>
  pods.flatMap(pod => pod.addresses.filter(address => holds(pod, address)).map(address => `${pod.name}: ${address}`))

const rows: Readonly<
  Record<string, readonly [drafts: readonly PodDraft[], context: Context, expected: readonly string[]]>
> = {
  'to the pod that reports it': [[{ name: 'a' }], {}, ['a: 10.0.0.1']],
  'to the pod that was created first': [
    [
      { name: 'a', created: 2 },
      { name: 'b', created: 1 }
    ],
    {},
    ['b: 10.0.0.1']
  ],
  'to the lower UID of pods of one age': [
    [
      { name: 'b', created: 1 },
      { name: 'a', created: 1 }
    ],
    {},
    ['a: 10.0.0.1']
  ],
  'to the pod whose age is known': [[{ name: 'a' }, { name: 'b', created: 9 }], {}, ['b: 10.0.0.1']],
  'to the pod that held it before, whatever its age': [
    [
      { name: 'a', created: 1 },
      { name: 'b', created: 2 }
    ],
    { previous: [pod({ name: 'b', created: 2 })] },
    ['b: 10.0.0.1']
  ],
  'to no pod that held it before and has ended since': [
    [{ name: 'a' }, { name: 'b', phase: 'Failed' }],
    { previous: [pod({ name: 'b' })] },
    ['a: 10.0.0.1']
  ],
  'to no pod that reported it before and did not hold it': [
    [
      { name: 'a', created: 1 },
      { name: 'b', created: 2 }
    ],
    {
      previous: resolve([
        { name: 'b', created: 2 },
        { name: 'c', created: 1 }
      ]).pods
    },
    ['a: 10.0.0.1']
  ],
  'to no pod that has ended': [[{ name: 'a', phase: 'Succeeded' }], {}, []],
  'to no pod in the network of its node': [[{ name: 'a', hostNetwork: true }], {}, []],
  'to no mirror pod': [[{ name: 'a', mirror: true }], {}, []],
  'to a pod, though pods in the network of the node report it': [
    [
      { name: 'a', hostNetwork: true, created: 1 },
      { name: 'b', created: 2 }
    ],
    {},
    ['b: 10.0.0.1']
  ],
  'to no pod where it is the virtual address of a Service': [[{ name: 'a' }], { services: [service('10.0.0.1')] }, []],
  'to the pod in whose Node’s networks it is': [
    [
      { name: 'a', node: 'node-2', created: 1 },
      { name: 'b', created: 2 }
    ],
    { networks: node => (node === 'node-1' ? ['10.0.0.0/24'] : ['10.0.1.0/24']) },
    ['b: 10.0.0.1']
  ],
  'to no pod of a Node without a network': [[{ name: 'a' }], { networks: () => [] }, []],
  'to a pod of a Node of which no networks are known': [
    [{ name: 'a' }],
    { networks: () => undefined },
    ['a: 10.0.0.1']
  ],
  'for each address by itself': [
    [
      { name: 'a', addresses: ['10.0.0.1', 'fd00::1'], created: 2 },
      { name: 'b', addresses: ['10.0.0.1', 'fd00::2'], created: 1 }
    ],
    {},
    ['a: fd00::1', 'b: 10.0.0.1', 'b: fd00::2']
  ],
  'whichever way it is written': [
    [
      { name: 'a', addresses: ['fd00::1'], created: 1 },
      { name: 'b', addresses: ['FD00:0:0::0001'], created: 2 }
    ],
    {},
    ['a: fd00::1']
  ]
}

describe('an address belongs', () => {
  for (const [title, [drafts, context, expected]] of Object.entries(rows))
    it(title, () => assert.deepEqual(held(resolve(drafts, context)), expected))

  it('to one pod at most, whatever pods report; and the pods stay the same objects where they hold all', () => {
    const draft = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      addresses: fc.uniqueArray(fc.constantFrom('10.0.0.1', '10.0.0.2', 'fd00::1'), { minLength: 1 }),
      created: fc.constantFrom(undefined, 1, 2),
      phase: fc.constantFrom('Running', 'Pending', 'Failed'),
      hostNetwork: fc.boolean(),
      mirror: fc.boolean()
    })
    const drafts = fc.uniqueArray(draft, { selector: ({ name }) => name })
    fc.assert(
      fc.property(drafts, drafts, fc.boolean(), (before, now, reverse) => {
        const previous = resolve(before).pods
        const given = now.map(pod)
        const context = { services: [], networks: ANY_NETWORK, previous }
        const { pods, mirrors } = resolveClaims(given, context)
        const lines = held({ pods, mirrors })
        const addresses = lines.map(line => line.slice(line.indexOf(' ')))
        assert.equal(new Set(addresses).size, addresses.length)
        assert.equal(pods.length + mirrors.length, given.length)
        for (const one of pods) assert.ok(one.unheld !== undefined || given.includes(one))
        const others = held(resolveClaims(reverse ? given.toReversed() : given, context))
        assert.deepEqual(others.toSorted(), lines.toSorted(), 'the order does not matter')
        // Everyone who held an address and still claims it holds it now.
        const kept = held({ pods: previous, mirrors: [] }).filter(line =>
          given.some(
            one => line.startsWith(`${one.name}:`) && holds(one, line.slice(line.indexOf(' ') + 1)) && !one.mirror
          )
        )
        for (const line of kept) assert.ok(lines.includes(line), line)
      })
    )
  })

  it('to nobody else as long as its pod goes on reporting it', () => {
    let previous: readonly Pod[] = []
    for (const created of [5, 4, 3, 2, 1]) {
      previous = resolve([{ name: 'held', created: 9 }, ...(previous.length > 0 ? [{ name: 'late', created }] : [])], {
        previous
      }).pods
      assert.ok(previous.some(one => one.name === 'held' && holds(one, '10.0.0.1')))
    }
  })
})

describe('an address', () => {
  const forms: readonly (readonly [text: string, canonical: string | undefined])[] = [
    ['10.0.0.1', '10.0.0.1'],
    ['010.0.0.1', undefined],
    ['10.0.0', undefined],
    ['fd00::1', 'fd00::1'],
    ['FD00:0:0:0:0:0:0:1', 'fd00::1'],
    ['fd00:0000::0001', 'fd00::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:0a00:0001', '10.0.0.1'],
    ['::1', '::1'],
    ['fe80::1%eth0', undefined],
    ['', undefined],
    ['example.com', undefined]
  ]
  for (const [text, canonical] of forms)
    it(`written ${JSON.stringify(text)} is ${canonical ?? 'none'}`, () =>
      assert.equal(canonicalAddress(text), canonical))

  const networks: readonly (readonly [network: string, address: string, inside: boolean])[] = [
    ['10.244.1.0/24', '10.244.1.255', true],
    ['10.244.1.0/24', '10.244.2.0', false],
    ['10.244.1.7/32', '10.244.1.7', true],
    ['0.0.0.0/0', '192.0.2.1', true],
    ['fd00::/64', 'fd00::ffff', true],
    ['fd00::/64', 'fd00:0:0:1::1', false],
    ['fd00::/64', '10.0.0.1', false],
    ['10.0.0.0/8', 'fd00::1', false]
  ]
  for (const [network, address, inside] of networks)
    it(`${address} is ${inside ? 'in' : 'not in'} ${network}`, () =>
      assert.equal(networksContain(['192.0.2.128/25', network], address), inside))

  for (const text of [
    '10.0.0.0',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    'x/8',
    '10.0.0.0/08'
  ])
    it(`${text} is no network`, () => assert.equal(isNetwork(text), false))
})
