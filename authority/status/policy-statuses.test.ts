import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EMPTY_INVENTORY, type Pod, podFromManifest } from '../../shared/inventory/index.ts'
import {
  parseEndUserAuthentication,
  parsePeerAuthentication,
  parseRequestAuthentication
} from '../../shared/policy/index.ts'
import { policyStatuses, type StatusInputs } from './index.ts'

const ROOT = 'countersign-system'

interface PodDraft {
  readonly name: string
  readonly namespace?: string
  readonly account?: string
  readonly app?: string
  readonly proxy?: boolean
  readonly phase?: string
}

function pod({ name, namespace = 'shop', account = name, app = name, proxy = true, phase = 'Running' }: PodDraft): Pod {
  const { value } = podFromManifest({
    metadata: { name, namespace, uid: `uid-${namespace}-${name}`, labels: { app } },
    spec: {
      serviceAccountName: account,
      nodeName: 'node-1',
      initContainers: proxy
        ? [{ name: 'countersign-proxy', restartPolicy: 'Always', volumeMounts: [{ name: 'countersign' }] }]
        : [],
      containers: [{ name: 'app' }],
      volumes: [{ name: 'countersign', csi: { driver: 'csi.countersign.dev' } }]
    },
    status: { phase }
  })
  assert.ok(value)
  return value
}

const peer = (spec: object = {}, metadata: object = {}) =>
  parsePeerAuthentication({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'p', namespace: 'shop', generation: 4, ...metadata },
    spec
  })
const request = (...issuers: readonly string[]) =>
  parseRequestAuthentication({
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: 'r', namespace: 'shop', generation: 1 },
    spec: { jwtRules: issuers.map(issuer => ({ issuer })) }
  })
const endUser = () =>
  parseEndUserAuthentication({
    apiVersion: 'countersign.dev/v1',
    kind: 'EndUserAuthentication',
    metadata: { name: 'e', namespace: 'shop', generation: 1 },
    spec: { issuer: 'https://one.example' }
  })
const SELECTOR = { selector: { matchLabels: { app: 'orders' } } }

function judge(inventory: Partial<StatusInputs['inventory']>, rest: Partial<StatusInputs> = {}) {
  const inputs = { rootNamespace: ROOT, problems: [], keysOf: () => undefined, ...rest }
  const [status] = policyStatuses({ ...inputs, inventory: { ...EMPTY_INVENTORY, ...inventory } })
  assert.ok(status)
  const short = Object.fromEntries(status.conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]))
  const message = (type: string): string | undefined =>
    status.conditions.find(condition => condition.type === type)?.message
  return { status, short, message }
}

describe('what is said of a policy', () => {
  it('has its name and generation, and no keys where none belong to it', () => {
    const { status, short } = judge({ peerAuthentications: [peer()], pods: [pod({ name: 'orders' })] })
    const { conditions: _, ...identity } = status
    assert.deepEqual(identity, { kind: 'PeerAuthentication', namespace: 'shop', name: 'p', generation: 4 })
    assert.deepEqual(short, {
      Ready: 'True Ready',
      Accepted: 'True Accepted',
      WorkloadsSelected: 'True WorkloadsSelected'
    })
  })

  const selections: Readonly<Record<string, readonly [object, object, string]>> = {
    'the namespace without a selector': [{}, {}, 'shop/orders, shop/web'],
    'pods with its labels': [SELECTOR, {}, 'shop/orders'],
    'the mesh in the root namespace': [{}, { namespace: ROOT }, 'bank/vault, shop/orders, shop/web']
  }
  const pods = [
    pod({ name: 'web' }),
    pod({ name: 'orders' }),
    pod({ name: 'orders-2', account: 'orders', app: 'orders' }),
    pod({ name: 'vault', namespace: 'bank' }),
    pod({ name: 'plain', proxy: false }),
    pod({ name: 'done', phase: 'Succeeded' })
  ]
  for (const [what, [spec, metadata, expected]] of Object.entries(selections))
    it(`names the accounts that it selects: ${what}`, () => {
      const { message } = judge({ peerAuthentications: [peer(spec, metadata)], pods })
      assert.equal(message('WorkloadsSelected'), `selects pods of the service accounts ${expected}`)
    })

  it('does not change with the number of pods, or with the sixth account', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const said = (drafts: readonly PodDraft[]): unknown =>
      judge({ peerAuthentications: [peer()], pods: drafts.map(pod) }).status
    const six = names.map(name => ({ name }))
    assert.deepEqual(said([...six, { name: 'g' }]), said(six))
    assert.deepEqual(said([...six, { name: 'a2', account: 'a' }]), said(six))
    assert.deepEqual(said([...six].reverse()), said(six))
    const { message } = judge({ peerAuthentications: [peer()], pods: six.map(pod) })
    assert.match(message('WorkloadsSelected') ?? '', /shop\/e, and others$/)
  })

  it('is that it is ready also when it selects nothing yet', () => {
    assert.deepEqual(judge({ peerAuthentications: [peer(SELECTOR)] }).short, {
      Ready: 'True Ready',
      Accepted: 'True Accepted',
      WorkloadsSelected: 'False NoWorkload'
    })
  })

  it('is that it is not accepted when it is ignored, and why', () => {
    const problems = [
      { kind: 'policy-ignored', object: 'PeerAuthentication shop/p', message: 'is ignored: another is older' },
      { kind: 'policy-ignored', object: 'PeerAuthentication shop/other', message: 'x' }
    ]
    const { short, message } = judge({ peerAuthentications: [peer()] }, { problems })
    assert.deepEqual([short['Accepted'], short['Ready']], ['False Ignored', 'False Ignored'])
    assert.deepEqual([message('Accepted'), message('Ready')], [problems[0]?.message, problems[0]?.message])
  })

  it('is that it selects nothing with a selector in the root namespace, as Istio has it', () => {
    const orders = pod({ name: 'orders', namespace: ROOT })
    const { short } = judge({ peerAuthentications: [peer(SELECTOR, { namespace: ROOT })], pods: [orders] })
    assert.equal(short['WorkloadsSelected'], 'False NoWorkload')
  })

  it('is that a PeerAuthentication is not ready where it does not hold for a pod, and why', () => {
    const object = 'PeerAuthentication shop/p'
    const problems = [
      { kind: 'not-enforced', object, message: 'does not hold for one' },
      { kind: 'policy-overridden', object, message: 'is ignored for another' },
      { kind: 'not-enforced', object: 'PeerAuthentication shop/other', message: 'x' }
    ]
    const { short, message } = judge({ peerAuthentications: [peer()] }, { problems })
    assert.deepEqual([short['Ready'], short['Accepted']], ['False NotEnforced', 'True AcceptedWithProblems'])
    assert.deepEqual([message('Ready'), message('Accepted')], ['does not hold for one', 'is ignored for another'])
    assert.equal(judge({ peerAuthentications: [peer()] }, { problems: problems.slice(1) }).short['Ready'], 'True Ready')
  })

  it('has the problems of one that holds nevertheless, and not too many', () => {
    const problems = [1, 2, 3, 4, 5, 6].map(port => ({
      kind: 'login-unavailable',
      object: 'EndUserAuthentication shop/e',
      message: `port ${port}`
    }))
    const { short, message } = judge({ endUserAuthentications: [endUser()] }, { problems })
    assert.equal(short['Accepted'], 'True AcceptedWithProblems')
    assert.equal(message('Accepted'), 'port 1; port 2; port 3; port 4; port 5; and others')
  })
})

describe('what is said of keys', () => {
  const keys = (status: 'ready' | 'waiting' | 'failing', jwks?: string) => ({
    jwks,
    condition: { status, message: `they are ${status}` }
  })
  type Known = Readonly<Record<string, ReturnType<typeof keys>>>
  const [one, two] = ['https://one.example', 'https://two.example']
  const cases: readonly (readonly [title: string, known: Known, says: string, message: RegExp])[] = [
    ['all are there', { [one]: keys('ready', '{}'), [two]: keys('ready', '{}') }, 'True KeysReady', /every issuer/],
    ['nobody looked yet', {}, 'False WaitingForKeys', /one\.example: keys were not asked for yet; .*two/],
    [
      'some are awaited',
      { [one]: keys('ready', '{}'), [two]: keys('waiting') },
      'False WaitingForKeys',
      /^https:\/\/two/
    ],
    [
      'some cannot be fetched, others are awaited',
      { [one]: keys('waiting'), [two]: keys('failing') },
      'False KeysUnavailable',
      /^https:\/\/two\.example: they are failing$/
    ],
    [
      'old ones serve on',
      { [one]: keys('failing', '{}'), [two]: keys('ready', '{}') },
      'True KeysNotRefreshed',
      /^https:\/\/one\.example: they are failing$/
    ]
  ]
  for (const [title, known, says, message] of cases)
    it(`when ${title}: ${says}`, () => {
      const result = judge({ requestAuthentications: [request(one, two)] }, { keysOf: ({ issuer }) => known[issuer] })
      assert.equal(result.short['KeysReady'], says)
      assert.match(result.message('KeysReady') ?? '', message)
      assert.equal(result.short['Ready'], says.startsWith('True') ? 'True Ready' : says)
    })

  it('is said of an EndUserAuthentication, too', () => {
    const { short } = judge({ endUserAuthentications: [endUser()] }, { keysOf: () => keys('failing') })
    assert.deepEqual([short['KeysReady'], short['Ready']], ['False KeysUnavailable', 'False KeysUnavailable'])
  })
})
