import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inventoryOf, type Manifest, pod, service } from '../../../authority/naming/mesh.test-support.ts'
import { EMPTY_INVENTORY, type Inventory, type PodNetworks } from '../../../shared/inventory/index.ts'
import { Bystander } from '../bystander.ts'

const DB = 'spiffe://mesh.test/ns/shop/sa/db'
const ADDRESS = { ipv4: '10.244.1.7', ipv6: 'fd00:1::7' } as const
const VIRTUAL = '10.96.0.7'
const ELSEWHERE = '203.0.113.9'
const EVIL = 'node-evil'

const NETWORKS: Readonly<Record<string, readonly string[]>> = {
  'node-1': ['10.244.1.0/24', 'fd00:1::/64'],
  [EVIL]: ['10.244.2.0/24', 'fd00:2::/64']
}
const enforced: PodNetworks = node => NETWORKS[node ?? ''] ?? []
const unset: PodNetworks = () => undefined

const withStatus = (manifest: Manifest, change: object, metadata: object = {}): Manifest => ({
  ...manifest,
  metadata: { ...(manifest['metadata'] as object), ...metadata },
  status: { ...(manifest['status'] as object), ...change }
})
const created = (second: number): object => ({ creationTimestamp: new Date(second * 1_000).toISOString() })
const both = { podIP: ADDRESS.ipv4, podIPs: Object.values(ADDRESS).map(ip => ({ ip })) }

const victim = (change: Parameters<typeof pod>[0] = {}, at = 100): Manifest =>
  withStatus(pod({ name: 'db-0', account: 'db', labels: { app: 'db' }, ...change }), both, created(at))
const SERVICES: Readonly<Record<string, readonly Manifest[]>> = {
  'a Service': [
    service({ name: 'db', selector: { app: 'db' }, clusterIPs: [VIRTUAL, 'fd00:96::7'], clusterIP: VIRTUAL })
  ],
  'a headless Service': [service({ name: 'db', selector: { app: 'db' }, clusterIP: 'None' })],
  'no Service': []
}

const VIRTUALLY = { podIP: VIRTUAL }

/** What the kubelet writes into the status of a pod that runs on its node. */
const STATUSES: Readonly<Record<string, object>> = {
  'the address': { podIP: ADDRESS.ipv4 },
  'the address in the list': { podIP: ADDRESS.ipv4, podIPs: [{ ip: ADDRESS.ipv4 }] },
  'the address beside its own': { podIP: '10.244.2.9', podIPs: [{ ip: '10.244.2.9' }, { ip: ADDRESS.ipv4 }] },
  'both addresses': both,
  'the IPv6 address, spelled out': { podIP: 'FD00:0001:0:0:0:0:0:7', podIPs: [{ ip: 'fd00:1:0::7' }] },
  'the address, mapped to IPv6': { podIP: `::ffff:${ADDRESS.ipv4}` },
  'the virtual address of the Service': VIRTUALLY,
  'a place that is no pod': { podIP: ELSEWHERE }
}

/** The pod on its node whose status it writes; it has a Service of its own, so that the address would mean something. */
const EVILS: Readonly<Record<string, (status: object) => Manifest>> = {
  'a pod': status => evil({}, status, created(200)),
  'an older pod': status => evil({}, status, created(1)),
  'a pod of a lower UID': status => evil({}, status, { ...created(200), uid: 'a' }),
  'a pod that is not ready': status => evil({ ready: false }, status, created(200)),
  'a pod without a proxy': status => evil({ proxy: false }, status, created(200)),
  'a pod that has ended': status => evil({ phase: 'Failed' }, status, created(1)),
  'a pod in the network of the node': status => {
    const manifest = evil({}, status, created(1))
    return { ...manifest, spec: { ...(manifest['spec'] as object), hostNetwork: true } }
  },
  'a pod of the namespace of the victim': status => evil({ namespace: 'shop' }, status, created(1))
}
const evil = (change: Parameters<typeof pod>[0], status: object, metadata: object): Manifest =>
  withStatus(
    pod({ name: 'mallory-0', namespace: 'aaa', account: 'mallory', labels: { app: 'm' }, node: EVIL, ...change }),
    status,
    metadata
  )
const evilServices = ['aaa', 'shop'].flatMap(namespace => [
  service({ name: 'a', namespace, selector: { app: 'm' }, clusterIP: 'None' }),
  service({
    name: 'b',
    namespace,
    selector: { app: 'm' },
    clusterIP: '10.96.66.6',
    pin: namespace === 'aaa' ? '' : 'mallory'
  }),
  service({ name: 'c', namespace, selector: { app: 'm' }, clusterIP: 'None', pin: '' })
])

const places = [
  ...Object.values(ADDRESS).map(address => ({ address, port: 8080 })),
  { address: VIRTUAL, port: 80 },
  { address: VIRTUAL, port: 8080 },
  { address: ELSEWHERE, port: 8080 }
]
const verdicts = (inventory: Inventory): readonly string[] => {
  const bystander = new Bystander(inventory)
  return places.map(place => `${place.address} ${place.port}: ${bystander.at(place)}`)
}

const LIVES: Readonly<Record<string, Parameters<typeof pod>[0]>> = {
  running: {},
  'not ready': { ready: false },
  'shutting down': { deleted: true }
}

describe('whoever has the credentials of a kubelet', () => {
  for (const [checked, networks, restarted] of [
    ['podCIDRs are set', enforced, false],
    ['podCIDRs are set, and the authority was restarted since', enforced, true],
    ['podCIDRs are not set', unset, false]
  ] as const)
    it(`cannot have clients demand another account at the address of a pod of another node, where ${checked}`, t => {
      const lives = Object.entries(LIVES)
      const undisturbed = new Map<string, { readonly inventory: Inventory; readonly verdicts: readonly string[] }>()
      let count = 0
      for (const [statusTitle, status] of Object.entries(STATUSES))
        for (const [evilTitle, evilPod] of Object.entries(EVILS))
          for (const [serviceTitle, services] of Object.entries(SERVICES)) {
            // A place that no pod had can be claimed where nothing says whose it is: see the last tests.
            const isFree =
              statusTitle === 'a place that is no pod' || (status === VIRTUALLY && serviceTitle !== 'a Service')
            if (networks === unset && isFree) continue
            const [lifeTitle, life] = lives[count % lives.length] as (typeof lives)[number]
            const honest = [victim(life), ...services, ...evilServices]
            const key = `${lifeTitle} ${serviceTitle}`
            const inventory = inventoryOf(honest, EMPTY_INVENTORY, networks)
            const before = undisturbed.get(key) ?? { inventory, verdicts: verdicts(inventory) }
            undisturbed.set(key, before)
            const previous = restarted ? EMPTY_INVENTORY : before.inventory
            const after = inventoryOf([...honest, evilPod(status)], previous, networks)
            const title = `${evilTitle} reports ${statusTitle}; victim ${lifeTitle} behind ${serviceTitle}`
            assert.deepEqual(verdicts(after), before.verdicts, title)
            count++
          }
      t.diagnostic(`${count} variants refused`)
    })

  it('is reported, and so is the pod whose address it wants', () => {
    const before = inventoryOf([victim()], EMPTY_INVENTORY, unset)
    const withEvil = [victim(), evil({}, { podIP: ADDRESS.ipv4 }, created(1))]
    const disputed = new Bystander(inventoryOf(withEvil, before, unset)).mesh.problems
    assert.deepEqual(
      disputed.map(({ kind, object }) => `${kind} ${object}`),
      ['address-disputed Pod aaa/mallory-0', 'address-disputed Pod shop/db-0']
    )
    const [outside, ...others] = new Bystander(inventoryOf(withEvil, before, enforced)).mesh.problems
    assert.deepEqual(others, [])
    assert.equal(`${outside?.kind} ${outside?.object}`, 'address-outside-node Pod aaa/mallory-0')
    assert.match(outside?.message ?? '', /spec\.podCIDRs are 10\.244\.2\.0\/24, fd00:2::\/64: .*--pod-cidrs=ignored$/)
  })

  it('holds the address of a pod no longer than the pod that had it first is there', () => {
    const first = inventoryOf([victim()], EMPTY_INVENTORY, unset)
    const second = inventoryOf([victim(), evil({}, { podIP: ADDRESS.ipv4 }, created(1))], first, unset)
    assert.equal(second.pods.find(({ name }) => name === 'mallory-0')?.unheld?.length, 1)
    const gone = inventoryOf([evil({}, { podIP: ADDRESS.ipv4 }, created(1))], second, unset)
    assert.equal(gone.pods[0]?.unheld, undefined, 'an address that is free again can be given to another pod')
    const again = inventoryOf([victim(), evil({}, { podIP: ADDRESS.ipv4 }, created(1))], gone, unset)
    assert.equal(again.pods.find(({ name }) => name === 'db-0')?.unheld?.length, 1)
  })

  it('cannot weaken what is demanded where it can claim an address that no pod has: it closes the place', () => {
    const inventory = inventoryOf([...evilServices, evil({}, { podIP: ELSEWHERE }, {})], EMPTY_INVENTORY, unset)
    const at = new Bystander(inventory).at({ address: ELSEWHERE, port: 8080 })
    assert.equal(at, 'http spiffe://mesh.test/ns/aaa/sa/mallory')
    assert.equal(
      new Bystander(inventoryOf([...evilServices, evil({}, { podIP: ELSEWHERE }, {})], EMPTY_INVENTORY, enforced)).at({
        address: ELSEWHERE,
        port: 8080
      }),
      'passed on'
    )
  })

  it('is compared with a mesh in which the victim is who it is', () => {
    const [ipv4] = verdicts(inventoryOf([victim(), ...(SERVICES['a Service'] ?? [])], EMPTY_INVENTORY, enforced))
    assert.equal(ipv4, `${ADDRESS.ipv4} 8080: http ${DB}`)
  })
})
