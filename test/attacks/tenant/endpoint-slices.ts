import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inventoryOf, type Manifest, pod, service } from '../../../authority/naming/mesh.test-support.ts'
import { Bystander } from '../bystander.ts'
import {
  ADDRESS,
  type Attack,
  attack,
  CLAIMED,
  CONDITIONS,
  DB,
  ELSEWHERE,
  mallory,
  OTHER_PORT,
  OWN,
  PLACES,
  PORT,
  SERVICES,
  sliceOf,
  TARGETS,
  VICTIMS
} from '../endpoint-slice-variants.ts'

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
