import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serviceFromManifest } from './service.ts'

const service = (spec: object, annotations?: object) => ({
  metadata: { name: 'orders', namespace: 'shop', ...(annotations === undefined ? {} : { annotations }) },
  spec: { ports: [{ port: 80 }], ...spec }
})
const PIN = 'countersign.dev/service-accounts'

test('a plain Service has the defaults of Kubernetes', () => {
  const { value, issues } = serviceFromManifest(service({ selector: { app: 'orders' } }))
  assert.deepEqual(issues, [])
  assert.deepEqual(value, {
    namespace: 'shop',
    name: 'orders',
    type: 'ClusterIP',
    addresses: [],
    headless: false,
    selector: { app: 'orders' },
    publishNotReady: false,
    ports: [{ name: '', number: 80, targetPort: 80, protocol: 'TCP' }]
  })
})

test('an annotation of ours that is not known is reported: a misspelt one pins nothing', () => {
  for (const name of ['service-acounts', 'service-account', 'exclude-inbound-ports', 'inject']) {
    const { value, issues } = serviceFromManifest(service({}, { [`countersign.dev/${name}`]: 'orders' }))
    assert.equal(value?.pinnedAccounts, undefined)
    assert.deepEqual(
      issues.map(({ path }) => path.at(-1)),
      [`countersign.dev/${name}`]
    )
    assert.match(issues[0]?.message ?? '', /^unknown: .*countersign\.dev\/service-accounts/)
  }
  assert.deepEqual(serviceFromManifest(service({}, { [PIN]: 'orders', 'example.com/note': 'x' })).issues, [])
})

test('both fields of virtual addresses are read, None makes it headless', () => {
  const addresses = (spec: object) => serviceFromManifest(service(spec)).value
  assert.deepEqual(addresses({ clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1'] })?.addresses, [
    '10.0.0.1',
    'fd00::1'
  ])
  assert.deepEqual(addresses({ clusterIP: '' })?.addresses, [])
  assert.equal(addresses({ clusterIP: 'None', clusterIPs: ['None'] })?.headless, true)
  assert.deepEqual(addresses({ clusterIP: 'None' })?.addresses, [])
})

test('ports that are not TCP are not kept', () => {
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP', appProtocol: 'tcp' }
  ]
  assert.deepEqual(serviceFromManifest(service({ ports })).value?.ports, [
    { name: 'dns-tcp', number: 53, targetPort: 53, protocol: 'TCP', appProtocol: 'tcp' }
  ])
})

test('the selector of an ExternalName is ignored, and it needs no port', () => {
  const { value, issues } = serviceFromManifest(
    service({ type: 'ExternalName', selector: { a: 'b' }, ports: undefined })
  )
  assert.deepEqual(issues, [])
  assert.deepEqual(value?.selector, {})
})

test('a headless Service needs no port', () => {
  assert.deepEqual(serviceFromManifest(service({ clusterIP: 'None', ports: [] })).issues, [])
})

const pins: readonly { title: string; value: string; accounts: readonly string[]; mistakes: number }[] = [
  {
    title: 'an account is one of the namespace of its Service',
    value: 'orders',
    accounts: ['shop/orders'],
    mistakes: 0
  },
  {
    title: 'an account may be one of another namespace',
    value: 'billing/orders',
    accounts: ['billing/orders'],
    mistakes: 0
  },
  {
    title: 'blanks do not matter, order and repetition do not either',
    value: ' b , a,b, shop/a',
    accounts: ['shop/a', 'shop/b'],
    mistakes: 0
  },
  { title: 'nothing means nobody', value: '', accounts: [], mistakes: 0 },
  { title: 'blanks mean nobody', value: '  ', accounts: [], mistakes: 0 },
  { title: 'a mistake is left out and widens nothing', value: 'orders,Guest', accounts: ['shop/orders'], mistakes: 1 },
  { title: 'nothing but mistakes means nobody', value: '*', accounts: [], mistakes: 1 },
  { title: 'an empty entry is a mistake', value: 'orders,', accounts: ['shop/orders'], mistakes: 1 },
  { title: 'two slashes are a mistake', value: 'a/b/c', accounts: [], mistakes: 1 },
  { title: 'an account without its namespace is a mistake', value: '/orders', accounts: [], mistakes: 1 },
  { title: 'a SPIFFE ID is a mistake', value: 'spiffe://cluster.local/ns/shop/sa/orders', accounts: [], mistakes: 1 }
]

for (const { title, value, accounts, mistakes } of pins)
  test(`pinned accounts: ${title}`, () => {
    const result = serviceFromManifest(service({}, { [PIN]: value }))
    assert.deepEqual(result.value?.pinnedAccounts, accounts)
    assert.equal(result.issues.length, mistakes)
  })

test('a Service without the annotation pins nobody out', () => {
  assert.equal(serviceFromManifest(service({}, { 'example.com/x': 'y' })).value?.pinnedAccounts, undefined)
})
