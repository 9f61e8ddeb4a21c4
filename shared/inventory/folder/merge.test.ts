import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeDeclarations } from './merge.ts'
import { parseManifests } from './parse-manifests.ts'
import { formatProblem } from './problem.ts'

const manifest = (kind: string, name: string, rest = '') =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: shop}\n${rest}---\n`
const pod = (name: string, uid: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: shop, uid: ${uid}, labels: {app: a}}\nspec: {containers: [{name: a}]}\n---\n`
const service = (selector: string) =>
  manifest('Service', 'orders', `spec: {selector: ${selector}, ports: [{port: 80}]}\n`)
const slice = (service: string) =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, namespace: shop, labels: {kubernetes.io/service-name: ${service}}}\naddressType: IPv4\nendpoints: [{addresses: [192.0.2.1]}]\nports: [{port: 8080}]\n---\n`

function merge(files: Readonly<Record<string, string>>, owners: ReadonlyMap<string, string> = new Map()) {
  const declarations = Object.entries(files).map(([file, text]) => parseManifests(file, text).declarations)
  const { inventory, problems, owners: next } = mergeDeclarations(declarations, owners)
  return { inventory, problems: problems.map(formatProblem), owners: next }
}

test('of two objects with one name in two files the first is in force, and both places are named', () => {
  const a = manifest('ServiceAccount', 'x')
  const { inventory, problems } = merge({ 'a.yaml': a, 'b.yaml': `# moved down\n${a}` })
  assert.equal(inventory.serviceAccounts.length, 1)
  assert.deepEqual(problems, ['b.yaml:4:18: metadata.name: ServiceAccount shop/x is already declared at a.yaml:3:18'])
})

test('of two objects with one name in one file the first is in force', () => {
  const { problems } = merge({ 'a.yaml': manifest('ServiceAccount', 'x') + manifest('ServiceAccount', 'x') })
  assert.deepEqual(problems, ['a.yaml:7:18: metadata.name: ServiceAccount shop/x is already declared at a.yaml:3:18'])
})

test('a new file does not push aside what is in force, though it comes first by name', () => {
  const first = merge({ 'b.yaml': service('{app: a}') })
  const second = merge({ 'a.yaml': service('{app: other}'), 'b.yaml': service('{app: a}') }, first.owners)
  assert.deepEqual(second.inventory.services[0]?.selector, { app: 'a' })
  assert.deepEqual(second.problems, [
    'a.yaml:3:18: metadata.name: Service shop/orders is already declared at b.yaml:3:18'
  ])
  assert.deepEqual(merge({ 'a.yaml': service('{app: other}') }, second.owners).problems, [])
})

test('objects of different kinds may share a name', () => {
  assert.deepEqual(merge({ a: manifest('ServiceAccount', 'orders') + service('{app: a}') }).problems, [])
})

test('two pods with one UID are a mistake, the first is in force', () => {
  const { inventory, problems } = merge({ a: pod('a', 'u'), b: pod('b', 'u') })
  assert.deepEqual(
    inventory.pods.map(({ name }) => name),
    ['a']
  )
  assert.deepEqual(problems, [
    'b:3:18: metadata.uid: expected a UID that no other pod has, got that of Pod shop/a at a:3:18'
  ])
})

test('a slice gives endpoints to a Service without a selector', () => {
  const { inventory, problems } = merge({ a: service('{}') + slice('orders') })
  assert.deepEqual(problems, [])
  assert.deepEqual(inventory.endpoints[0]?.ports, [
    { servicePort: 80, endpoints: [{ address: '192.0.2.1', port: 8080, ready: true }] }
  ])
})

test('a slice for a Service with a selector is a warning and has no effect', () => {
  const { inventory, problems } = merge({ a: service('{app: a}') + slice('orders') })
  assert.deepEqual(
    inventory.endpoints.map(({ ports }) => ports),
    [[]]
  )
  assert.equal(problems.length, 1)
  assert.match(problems[0] ?? '', /Service shop\/orders has a selector/)
})

test('a slice for no Service is a warning', () => {
  assert.match(merge({ a: slice('orders') }).problems[0] ?? '', /there is no Service shop\/orders/)
})

const running = (name: string, address: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: shop, labels: {app: a}}\nspec: {nodeName: n, containers: [{name: a}]}\nstatus: {phase: Running, podIP: ${address}}\n---\n`
const node = (spec: string) => `apiVersion: v1\nkind: Node\nmetadata: {name: n}\nspec: ${spec}\n---\n`
const addresses = (text: string, podCidrs: 'enforced' | 'ignored' = 'enforced') =>
  mergeDeclarations([parseManifests('a', text).declarations], new Map(), { podCidrs, previousPods: [] })
    .inventory.endpoints.flatMap(({ ports }) => ports)
    .flatMap(({ endpoints }) => endpoints.map(({ address }) => address))

test('the addresses of pods are compared with the Node, where the folder holds it and it says something', () => {
  const text = service('{app: a}') + running('a', '10.0.0.1')
  assert.deepEqual(addresses(text), ['10.0.0.1'])
  assert.deepEqual(addresses(text + node('{}')), ['10.0.0.1'])
  assert.deepEqual(addresses(text + node('{podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24]}')), ['10.0.0.1'])
  assert.deepEqual(addresses(text + node('{podCIDRs: [10.0.1.0/24, "fd00::/64"]}')), [])
  assert.deepEqual(addresses(text + node('{podCIDRs: [10.0.1.0/24]}'), 'ignored'), ['10.0.0.1'])
})

test('of two pods that report one address one has it, and goes on having it', () => {
  const both = service('{app: a}') + running('a', '10.0.0.1') + running('b', '10.0.0.1')
  assert.deepEqual(addresses(both), ['10.0.0.1'])
  for (const first of ['a', 'b']) {
    const alone = mergeDeclarations([parseManifests('a', running(first, '10.0.0.1')).declarations], new Map())
    const { pods } = mergeDeclarations([parseManifests('a', both).declarations], new Map(), {
      podCidrs: 'enforced',
      previousPods: alone.inventory.pods
    }).inventory
    assert.deepEqual(
      pods.filter(({ unheld }) => unheld === undefined).map(({ name }) => name),
      [first]
    )
  }
})
