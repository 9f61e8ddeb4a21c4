import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inventoryOf, type Manifest, pod, service } from '../../../authority/naming/mesh.test-support.ts'
import { Bystander, type Place } from '../bystander.ts'

const DB = 'spiffe://mesh.test/ns/shop/sa/db'
const ADDRESS = { ipv4: '10.0.0.7', ipv6: 'fd00::7' } as const
const VIRTUAL = '10.96.0.7'
const ELSEWHERE = '203.0.113.9'
const PORT = 8080
const OTHER_PORT = 9999

/** Calls whose end the tenant would like to decide. */
const PLACES: Readonly<Record<string, Place>> = {
  'the victim over IPv4': { address: ADDRESS.ipv4, port: PORT },
  'the victim over IPv6': { address: ADDRESS.ipv6, port: PORT },
  'another port of the victim': { address: ADDRESS.ipv4, port: OTHER_PORT },
  'the Service of the victim': { address: VIRTUAL, port: 80 },
  'another port of that Service': { address: VIRTUAL, port: PORT },
  'a place that is no pod': { address: ELSEWHERE, port: PORT },
  'another port there': { address: ELSEWHERE, port: OTHER_PORT }
}

const victimPod = (change: Parameters<typeof pod>[0] = {}): Manifest => {
  const manifest = pod({ name: 'db-0', account: 'db', labels: { app: 'db' }, address: ADDRESS.ipv4, ...change })
  const status = { ...(manifest['status'] as object), podIPs: Object.values(ADDRESS).map(ip => ({ ip })) }
  return { ...manifest, status }
}
const PORTS = [{ name: 'http', port: 80, targetPort: PORT }]
const victimService = (spec: object = {}): Manifest =>
  service({
    name: 'db',
    selector: { app: 'db' },
    clusterIP: VIRTUAL,
    clusterIPs: [VIRTUAL, 'fd00:96::7'],
    ports: PORTS,
    ...spec
  })
const headless = victimService({ clusterIP: 'None', clusterIPs: ['None'], publishNotReadyAddresses: true })
/** The slices that the controllers make for the headless Service: of both families. */
const victimSlices = ([4, 6] as const).map(family =>
  sliceOf({
    namespace: 'shop',
    service: 'db',
    name: `db-${family}`,
    endpoints: [{ addresses: [ADDRESS[`ipv${family}`]], targetRef: { kind: 'Pod', name: 'db-0', uid: 'uid-db-0' } }],
    family
  })
)

const VICTIMS: Readonly<Record<string, readonly Manifest[]>> = {
  'behind a Service': [victimService(), victimPod()],
  'behind a headless Service': [headless, victimPod(), ...victimSlices],
  'that is not ready': [victimService(), victimPod({ ready: false })],
  'that is shutting down': [victimService(), victimPod({ deleted: true })],
  'that has ended': [victimService(), victimPod({ phase: 'Succeeded' })],
  'without a Service': [victimPod()],
  'without a proxy': [victimService(), victimPod({ proxy: false })],
  'of a port that declares nothing': [
    victimService({ ports: [{ name: 'x', port: 80, targetPort: PORT }] }),
    victimPod()
  ],
  'of a pinned headless Service': [
    {
      ...headless,
      metadata: { ...(headless['metadata'] as object), annotations: { 'countersign.dev/service-accounts': 'db' } }
    },
    victimPod(),
    ...victimSlices
  ]
}

/** What an endpoint of the tenant says that it is. The tenant's own pod is mallory-0. */
const TARGETS: Readonly<Record<string, object | undefined>> = {
  'without a targetRef': undefined,
  'with its own pod': { kind: 'Pod', name: 'mallory-0', uid: 'uid-mallory-0' },
  'with its own pod and namespace': { kind: 'Pod', namespace: 'TENANT', name: 'mallory-0', uid: 'uid-mallory-0' },
  'with the UID of its own pod alone': { kind: 'Pod', uid: 'uid-mallory-0' },
  'with the name of its own pod alone': { kind: 'Pod', name: 'mallory-0' },
  'with the pod of the victim': { kind: 'Pod', namespace: 'shop', name: 'db-0', uid: 'uid-db-0' },
  'with the pod of the victim and no namespace': { kind: 'Pod', name: 'db-0', uid: 'uid-db-0' },
  'with the UID of the victim and its own name': { kind: 'Pod', name: 'mallory-0', uid: 'uid-db-0' },
  'with its own UID and the namespace of the victim': {
    kind: 'Pod',
    namespace: 'shop',
    name: 'db-0',
    uid: 'uid-mallory-0'
  },
  'with the name of the victim alone': { kind: 'Pod', name: 'db-0' },
  'with a UID that nobody has': { kind: 'Pod', name: 'x', uid: 'uid-x' },
  'with an empty targetRef': {},
  'with a Node': { kind: 'Node', name: 'node-1', uid: 'uid-db-0' },
  'with a Service': { kind: 'Service', namespace: 'shop', name: 'db', uid: 'uid-mallory-0' },
  'with a pod in lower case': { kind: 'pod', name: 'mallory-0', uid: 'uid-mallory-0' }
}

const OWN = { selector: {}, ports: [{ name: 'http', port: 80, targetPort: PORT }] }
/** The Service whose endpoints the tenant writes. */
const SERVICES: Readonly<Record<string, Parameters<typeof service>[0]>> = {
  'a headless Service': { ...OWN, clusterIP: 'None' },
  'a Service with an address': { ...OWN, clusterIP: '10.96.66.6' },
  'a headless Service pinned to nobody': { ...OWN, clusterIP: 'None', pin: '' },
  'a Service pinned to nobody': { ...OWN, clusterIP: '10.96.66.6', pin: '' },
  'a headless Service pinned to its account': { ...OWN, clusterIP: 'None', pin: 'mallory' },
  'a headless Service pinned to the account of the victim': { ...OWN, clusterIP: 'None', pin: 'shop/db' },
  'a headless Service that publishes what is not ready': { ...OWN, clusterIP: 'None', publishNotReadyAddresses: true },
  'a headless Service that selects its own pod, too': { ...OWN, clusterIP: 'None', selector: { app: 'm' } },
  'a Service that declares TLS': {
    ...OWN,
    clusterIP: 'None',
    ports: [{ name: 'http', port: 80, appProtocol: 'https' }]
  },
  'a Service that declares TCP': { ...OWN, clusterIP: 'None', ports: [{ name: 'http', port: 80, appProtocol: 'tcp' }] },
  'a Service with the external address of the victim': {
    ...OWN,
    clusterIP: '10.96.66.6',
    externalIPs: [ADDRESS.ipv4, VIRTUAL]
  },
  'a LoadBalancer': { ...OWN, clusterIP: '10.96.66.6', type: 'LoadBalancer', loadBalancerIP: ADDRESS.ipv4 }
}

const CONDITIONS: Readonly<Record<string, object | undefined>> = {
  'without conditions': undefined,
  ready: { ready: true, serving: true, terminating: false },
  'not ready': { ready: false, serving: false, terminating: false },
  'shutting down': { ready: true, serving: true, terminating: true }
}

const CLAIMED: Readonly<Record<string, { readonly address: string; readonly family: 4 | 6 }>> = {
  'the address of the victim': { address: ADDRESS.ipv4, family: 4 },
  'the IPv6 address of the victim': { address: ADDRESS.ipv6, family: 6 },
  'the IPv6 address of the victim, spelled out': { address: 'FD00:0:0:0:0:0:0:0007', family: 6 },
  'the virtual address of the victim': { address: VIRTUAL, family: 4 },
  'a place that is no pod': { address: ELSEWHERE, family: 4 }
}

interface SliceOptions {
  readonly namespace: string
  readonly service: string
  readonly name: string
  readonly endpoints: readonly object[]
  readonly family?: 4 | 6
  readonly ports?: readonly number[]
}

function sliceOf({ namespace, service, name, endpoints, family = 4, ports = [PORT] }: SliceOptions): Manifest {
  return {
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: `IPv${family}`,
    endpoints,
    ports: ports.map(port => ({ name: 'http', port }))
  }
}

/** Everything that the tenant writes in its namespace. */
interface Attack {
  readonly namespace: string
  readonly target: object | undefined
  readonly service: Parameters<typeof service>[0]
  readonly conditions: object | undefined
  readonly claimed: { readonly address: string; readonly family: 4 | 6 }
  readonly port: number
  /** A second slice says that it is something else. */
  readonly second?: object | undefined
}

function attack(
  { namespace, target, conditions, claimed, port, second, ...rest }: Attack,
  name = 'evil'
): readonly Manifest[] {
  const endpoint = (targetRef: object | undefined) => ({
    addresses: [claimed.address],
    ...(conditions === undefined ? {} : { conditions }),
    ...(targetRef === undefined
      ? {}
      : { targetRef: JSON.parse(JSON.stringify(targetRef).replace('TENANT', namespace)) })
  })
  const write = (slice: string, targetRef: object | undefined): Manifest =>
    sliceOf({
      namespace,
      service: name,
      name: slice,
      endpoints: [endpoint(targetRef)],
      family: claimed.family,
      ports: [port]
    })
  return [
    service({ ...rest.service, name, namespace }),
    write(`${name}-1`, target),
    ...(second === undefined ? [] : [write(`${name}-2`, second)])
  ]
}

const mallory = (namespace: string): Manifest =>
  pod({ name: 'mallory-0', namespace, account: 'mallory', labels: { app: 'm' }, address: '10.0.1.66', node: 'node-2' })

const verdicts = (bystander: Bystander): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(PLACES).map(([title, place]) => [title, bystander.at(place)]))

/** What agents are told of the victim's namespace. */
const told = ({ mesh }: Bystander) => ({
  services: [...mesh.services].filter(([name]) => name.startsWith('shop/')),
  endpoints: [...mesh.endpoints].filter(([name]) => name.startsWith('shop/')),
  workloads: [...(mesh.workloadsByNode.get('node-1') ?? [])]
})

const item = <T>(table: Readonly<Record<string, T>>, index: number): readonly [string, T] => {
  const entries = Object.entries(table)
  return entries[index % entries.length] as [string, T]
}

describe('a tenant who can write EndpointSlices', () => {
  it('is compared with a mesh in which the victim is who it is', () => {
    const at = (manifests: readonly Manifest[]) => verdicts(new Bystander(inventoryOf(manifests)))
    const here = at(VICTIMS['behind a Service'] ?? [])
    assert.equal(here['the victim over IPv4'], `http ${DB}`)
    assert.equal(here['the victim over IPv6'], `http ${DB}`)
    assert.equal(here['another port of the victim'], 'passed on')
    assert.equal(here['the Service of the victim'], `http ${DB} [10.0.0.7:8080, fd00::7:8080]`)
    assert.equal(here['a place that is no pod'], 'passed on')
    assert.equal(at(VICTIMS['of a port that declares nothing'] ?? [])['the victim over IPv4'], `undeclared tcp ${DB}`)
    assert.equal(at(VICTIMS['behind a headless Service'] ?? [])['the victim over IPv6'], `http ${DB}`)
  })

  it('cannot change who is demanded at an address of another namespace, or at a place that is no pod', t => {
    let count = 0
    const failures: string[] = []
    let index = 0
    const undisturbed = new Map<string, Bystander>()
    for (const [claim, claimed] of Object.entries(CLAIMED))
      for (const [targetTitle, target] of Object.entries(TARGETS))
        for (const [serviceTitle, own] of Object.entries(SERVICES)) {
          index++
          // Each of the other dimensions turns at another speed, so that all meet each other.
          const [victimTitle, victim] = item(VICTIMS, index)
          const [condition, conditions] = item(CONDITIONS, Math.floor(index / 3))
          const [, second] = item<object | undefined>(
            { none: undefined, none2: undefined, ...TARGETS },
            Math.floor(index / 5)
          )
          const namespace = index % 2 === 0 ? 'aaa' : 'zzz'
          const port = Math.floor(index / 2) % 4 === 3 ? OTHER_PORT : PORT
          const written = attack({ namespace, target, service: own, conditions, claimed, port, second })
          const key = `${victimTitle} ${namespace}`
          const before = undisturbed.get(key) ?? new Bystander(inventoryOf([...victim, mallory(namespace)]))
          undisturbed.set(key, before)
          const after = new Bystander(inventoryOf([...victim, mallory(namespace), ...written]))
          count++
          try {
            assert.deepEqual(verdicts(after), verdicts(before))
            assert.deepEqual(told(after), told(before))
          } catch (thrown) {
            const title = `${serviceTitle} of ${namespace} claims ${claim} port ${port} ${condition} ${targetTitle}; victim ${victimTitle}`
            failures.push(`${title}: ${(thrown as Error).message}`)
          }
        }
    assert.deepEqual(failures.slice(0, 3), [], `${failures.length} of ${count} variants change something`)
    t.diagnostic(`${count} variants refused`)
  })

  for (const [victimTitle, victim] of Object.entries(VICTIMS))
    it(`cannot do it with all of these at once, to a victim ${victimTitle}`, t => {
      const written = ['aaa', 'zzz'].flatMap(namespace => {
        const attacks = Object.values(CLAIMED).flatMap(claimed =>
          Object.values(TARGETS).flatMap(target =>
            Object.values(SERVICES).map((own, index): Attack => {
              const [, conditions] = item(CONDITIONS, index)
              // No two Services have one address.
              const service = own?.['clusterIP'] === 'None' ? own : { ...own, clusterIP: '' }
              return { namespace, target, service, conditions, claimed, port: PORT }
            })
          )
        )
        return attacks.flatMap((one, index) => attack(one, `evil-${index}`))
      })
      const attackers = ['aaa', 'zzz'].map(namespace => ({
        ...mallory(namespace),
        metadata: {
          ...(mallory(namespace)['metadata'] as object),
          uid: namespace === 'aaa' ? 'uid-mallory-0' : 'uid-z'
        },
        status: { phase: 'Running', podIP: namespace === 'aaa' ? '10.0.1.66' : '10.0.1.67' }
      }))
      const before = new Bystander(inventoryOf([...victim, ...attackers]))
      const after = new Bystander(inventoryOf([...victim, ...attackers, ...written]))
      assert.deepEqual(verdicts(after), verdicts(before))
      assert.deepEqual(told(after), told(before))
      t.diagnostic(`${written.length / 2} Services with slices change nothing`)
    })

  it('cannot have callers of its own Service speak plaintext to a pod that accepts mutual TLS', t => {
    let count = 0
    const own = { ...OWN, clusterIP: '10.96.66.6' }
    for (const [claim, claimed] of Object.entries(CLAIMED))
      for (const [title, target] of Object.entries(TARGETS)) {
        const manifests = [...(VICTIMS['behind a Service'] ?? []), mallory('aaa')]
        const written = attack({ namespace: 'aaa', target, service: own, conditions: undefined, claimed, port: PORT })
        const verdict = new Bystander(inventoryOf([...manifests, ...written])).at({ address: '10.96.66.6', port: 80 })
        count++
        const isNoPod = claimed.address === ELSEWHERE
        const plaintext = isNoPod ? '203.0.113.9:8080 in plaintext' : ' in plaintext'
        if (isNoPod) assert.ok(!verdict.includes('10.0.0.7'), `${claim} ${title}: ${verdict}`)
        else assert.ok(!verdict.includes(plaintext), `${claim} ${title}: ${verdict}`)
        if (verdict.includes(ADDRESS.ipv4) || verdict.includes(ADDRESS.ipv6))
          assert.ok(verdict.startsWith(`http ${DB} `), `${claim} ${title}: ${verdict}`)
      }
    t.diagnostic(`${count} variants`)
  })

  it('is told of every claim that does not hold, and not too often', t => {
    const endpoints = Array.from({ length: 1_000 }, (_, index) => ({
      addresses: [`10.7.${index >> 8}.${index & 255}`],
      targetRef: { kind: 'Pod', name: 'mallory-0', uid: 'uid-mallory-0' }
    }))
    const pods = Array.from({ length: 200 }, (_, index) =>
      pod({ name: `victim-${index}`, account: 'db', address: `10.8.0.${index}`, labels: {} })
    )
    const foreign = pods.map((_, index) => ({ addresses: [`10.8.0.${index}`] }))
    const { problems } = new Bystander(
      inventoryOf([
        ...pods,
        mallory('aaa'),
        service({ ...OWN, clusterIP: 'None', name: 'evil', namespace: 'aaa' }),
        sliceOf({ namespace: 'aaa', service: 'evil', name: 'evil-1', endpoints }),
        sliceOf({ namespace: 'aaa', service: 'evil', name: 'evil-2', endpoints: foreign })
      ])
    ).mesh
    assert.ok(problems.every(({ object }) => object === 'Service aaa/evil'))
    const of = (wanted: string) => problems.filter(({ kind }) => kind === wanted)
    assert.equal(of('endpoint-contradictory').length, 11)
    assert.match(
      of('endpoint-contradictory')
        .map(({ message }) => message)
        .join(),
      /990 more endpoints are left out/
    )
    assert.equal(of('endpoint-across-namespaces').length, 21)
    t.diagnostic(`${problems.length} problems for 1200 endpoints`)
  })
})
