// A tenant writes pods and policies in a namespace for which the operator has set a floor, and wants out of it. The
// webhook is the real one, asked over HTTPS.

import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import jsonPatch from 'fast-json-patch'
import { openWebhook, type WebhookDoor } from '../webhook-door.ts'

interface Pod {
  readonly metadata: { readonly labels?: object; readonly annotations?: object }
  readonly spec: Readonly<Record<string, unknown>>
}

const INJECT = 'countersign.dev/inject'
const DRIVER = 'csi.countersign.dev'
const PREFIX = 'countersign.dev/'
const OWN_IMAGE = 'envoyproxy/envoy:distroless-v1.40.0'

const labelled = (value: string): Pod => ({ metadata: { labels: { [INJECT]: value } }, spec: {} })
const annotated = (name: string, value: string): Pod => ({
  metadata: { annotations: { [`${PREFIX}${name}`]: value } },
  spec: {}
})
const spec = (more: object): Pod => ({ metadata: {}, spec: { ...more } })

/** Two ways out at once, of which one may hide the other. */
function together(a: Pod, b: Pod): Pod {
  const lists = ['containers', 'initContainers', 'volumes'].flatMap(name => {
    const list = [a, b].flatMap(({ spec }) => (spec[name] as object[] | undefined) ?? [])
    return list.length === 0 ? [] : [[name, list]]
  })
  return {
    metadata: {
      labels: { ...a.metadata.labels, ...b.metadata.labels },
      annotations: { ...a.metadata.annotations, ...b.metadata.annotations }
    },
    spec: { ...a.spec, ...b.spec, ...Object.fromEntries(lists) }
  }
}

const asked = ({ metadata, spec: given }: Pod): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata,
  spec: { ...given, containers: [{ name: 'web', image: 'web' }, ...((given['containers'] as object[]) ?? [])] }
})

const WAYS_OUT: readonly Pod[] = [
  ...['disabled', 'Disabled', 'DISABLED', 'false', 'off', ''].map(labelled),
  ...['8080', '1,2,65535', ' 8080 , 9090 ', '8080,', '8080-9090', '*', '0', '08080', '15006'].map(text =>
    annotated('exclude-inbound-ports', text)
  ),
  ...['eth0', 'net1', 'eth0,net1', 'lo', 'eth*'].map(text => annotated('exclude-interfaces', text)),
  ...['127.0.0.1', '::1', '0.0.0.0', 'localhost'].map(text => annotated('application-address', text)),
  annotated('exclude-inbound-port', '8080'),
  annotated('Exclude-Inbound-Ports', '8080'),
  spec({ hostNetwork: true }),
  spec({ os: { name: 'windows' } }),
  spec({ securityContext: { runAsUser: 1337 } }),
  spec({ containers: [{ name: 'me', securityContext: { runAsUser: 1337 } }] }),
  spec({ containers: [{ name: 'me', ports: [{ containerPort: 15006 }] }] }),
  spec({ containers: [{ name: 'countersign-proxy', image: 'mine' }] }),
  spec({ initContainers: [{ name: 'countersign-proxy', image: 'mine', restartPolicy: 'Always' }] }),
  spec({ containers: [{ name: 'istio-proxy', image: 'istio' }] }),
  spec({ volumes: [{ name: 'countersign', emptyDir: {} }] }),
  ...['countersign', 'aaa', 'zzz', 'countersign-2'].map(name =>
    spec({ volumes: [{ name, csi: { driver: DRIVER, readOnly: true } }] })
  )
]

describe('a tenant of a namespace under a floor of mutual TLS, injection and end-user checks', () => {
  const rules = '{ mutualTls: true, injection: true, endUserChecks: true }'
  const doors: WebhookDoor[] = []
  before(async () => {
    doors.push(await openWebhook(`namespaces: { shop: ${rules} }`), await openWebhook(`mesh: ${rules}`))
  })
  after(async () => {
    for (const door of doors) await door.stop()
  })

  const refuses = async (t: TestContext, pods: readonly Pod[]): Promise<void> => {
    const admitted: Pod[] = []
    for (const door of doors)
      for (const pod of pods) {
        const { allowed, message } = await door.create('/inject', asked(pod))
        if (allowed) admitted.push(pod)
        else assert.match(message, /expected|without a proxy|bypass the proxy|unknown|one mesh|reserved/)
      }
    assert.deepEqual(admitted, [])
    t.diagnostic(`${pods.length * doors.length} variants refused`)
  }

  it('a tenant who writes labels, annotations, volumes or containers cannot take a pod out of it', t =>
    refuses(t, WAYS_OUT))

  it('a tenant who combines any two of these cannot take a pod out of it', t =>
    refuses(
      t,
      WAYS_OUT.flatMap((a, at) => WAYS_OUT.slice(at + 1).map(b => together(a, b)))
    ))

  type Fields = Record<string, unknown>
  const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount'
  const onProxy = (fields: object) => (proxy: Fields) => Object.assign(proxy, fields)
  const mount =
    (mountPath: string, volume: object, more: object = {}) =>
    (proxy: Fields, { volumes }: Fields) => {
      ;(volumes as object[]).push({ name: 'lib', ...volume })
      ;(proxy['volumeMounts'] as object[]).push({ name: 'lib', mountPath, ...more })
    }
  const configMap = { configMap: { name: 'evil', defaultMode: 0o755 } }
  const projected = { projected: { sources: [{ configMap: { name: 'evil' } }] } }
  const security =
    (more: object) =>
    ({ securityContext }: Fields) =>
      Object.assign(securityContext as object, more)
  const IMPERSONATIONS: readonly ((proxy: Fields, spec: Fields) => unknown)[] = [
    ...['/var/run/secrets/x', '/var/run/secrets/../../../usr/local/bin', '/usr/local/bin', TOKEN, `${TOKEN}/`].map(
      path => mount(path, configMap)
    ),
    ...['/var/run/secrets/x', '/etc', '/lib', `${TOKEN}/../x`].map(path => mount(path, projected)),
    ...[{ subPath: 'x' }, { subPathExpr: 'x' }, { mountPropagation: 'Bidirectional' }].map(more =>
      mount(TOKEN, projected, more)
    ),
    ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'GLIBC_TUNABLES', 'ENVOY_UID', 'PATH'].map(name =>
      onProxy({ env: [{ name, value: 'x' }] })
    ),
    onProxy({ env: [{ name: 'LD_PRELOAD', valueFrom: { configMapKeyRef: { name: 'evil', key: 'x' } } }] }),
    ...[{ configMapRef: { name: 'x' } }, { prefix: 'LD_', secretRef: { name: 'x' } }].map(from =>
      onProxy({ envFrom: [from] })
    ),
    onProxy({ workingDir: '/x' }),
    onProxy({ terminationMessagePath: '/usr/local/bin/envoy' }),
    onProxy({ startupProbe: { httpGet: { host: '203.0.113.1', path: '/ready', port: 15021, scheme: 'HTTP' } } }),
    onProxy({ lifecycle: { preStop: { exec: { command: ['x'] } } } }),
    ...[{ privileged: true }, { capabilities: { add: ['ALL'] } }, { readOnlyRootFilesystem: false }].map(security),
    ...[{ allowPrivilegeEscalation: true }, { seccompProfile: { type: 'Unconfined' } }, { runAsGroup: 0 }].map(
      security
    ),
    (_, spec) =>
      Object.assign(spec, {
        shareProcessNamespace: true,
        containers: [{ name: 'web', image: 'web', securityContext: { runAsUser: 1337 } }]
      }),
    (_, spec) => Object.assign(spec, { securityContext: { runAsUser: 1337 } })
  ]

  it('a tenant who brings the proxy along cannot run code of its own as the proxy, nor before it', async t => {
    for (const door of doors) {
      const bring = async (change: (proxy: Fields, spec: Fields) => unknown): Promise<object> => {
        const pod = asked(spec({})) as { spec: Fields }
        jsonPatch.applyPatch(pod, [...(await door.create('/inject', pod)).patch])
        change((pod.spec['initContainers'] as Fields[])[0] ?? {}, pod.spec)
        return pod
      }
      for (const [at, change] of IMPERSONATIONS.entries()) {
        const { allowed, message } = await door.create('/inject', await bring(change))
        assert.equal(allowed, false, `variant ${at}`)
        assert.match(message, /of the proxy that Countersign adds|expected any user but 1337/)
      }
      const before = await bring((_, { initContainers }) => (initContainers as object[]).unshift({ name: 'me' }))
      const { patch } = await door.create('/inject', before)
      assert.deepEqual(patch, [{ op: 'move', from: '/spec/initContainers/1', path: '/spec/initContainers/0' }])
      const token = { projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }
      const same = await door.create('/inject', await bring(mount(TOKEN, token, { readOnly: true })))
      assert.deepEqual({ ...same, message: '' }, { allowed: true, patched: false, patch: [], message: '' })
    }
    t.diagnostic(`${IMPERSONATIONS.length * doors.length} variants refused`)
  })

  it('a tenant who changes the image of the proxy of a running pod cannot replace it', async t => {
    const running = (image: string): object =>
      asked(spec({ initContainers: [{ name: 'countersign-proxy', image, restartPolicy: 'Always' }] }))
    const images = ['mine', 'envoyproxy/envoy', 'envoyproxy/envoy:distroless-v1.40.1', 'registry.example/envoy']
    for (const door of doors)
      for (const image of images) {
        const { allowed, message } = await door.update('/inject', running(image), running(OWN_IMAGE))
        assert.equal(allowed, false)
        assert.match(message, /image .*: expected .*the pod would run another proxy/)
        assert.equal((await door.update('/inject', running(OWN_IMAGE), running(image))).allowed, true)
      }
    t.diagnostic(`${images.length * doors.length} variants refused`)
  })

  it('a tenant who asks for a proxy gets it, and may exclude outgoing connections', async t => {
    const honest = [
      spec({}),
      labelled('enabled'),
      annotated('exclude-outbound-ports', '5432'),
      annotated('exclude-outbound-cidrs', '10.0.0.0/8'),
      annotated('rewrite-probes', 'disabled')
    ]
    for (const door of doors)
      for (const pod of honest) assert.equal((await door.create('/inject', asked(pod))).patched, true)
    t.diagnostic(`${honest.length * doors.length} honest pods injected`)
  })

  const selector = { matchLabels: { app: 'orders' } }
  const LOWER = ['DISABLE', 'PERMISSIVE']
  const specs: readonly object[] = LOWER.flatMap(mode => [
    { mtls: { mode } },
    { selector, mtls: { mode } },
    { selector, mtls: { mode: 'STRICT' }, portLevelMtls: { 8080: { mode } } },
    { selector, portLevelMtls: { 1: { mode: 'STRICT' }, 65535: { mode } } },
    { selector, mtls: { mode }, portLevelMtls: { 8080: { mode: 'STRICT' } } }
  ])
  const policies = ['v1', 'v1beta1'].flatMap(version =>
    specs.map(of => ({
      apiVersion: `security.istio.io/${version}`,
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace: 'shop' },
      spec: of
    }))
  )

  it('a tenant who writes PeerAuthentications cannot lower it, neither with a new one nor by a change', async t => {
    for (const door of doors)
      for (const policy of policies) {
        const strict = { ...policy, spec: { mtls: { mode: 'STRICT' } } }
        for (const answer of [await door.create('/validate', policy), await door.update('/validate', policy, strict)]) {
          assert.equal(answer.allowed, false)
          assert.match(answer.message, /the operator’s floor requires mutual TLS in namespace shop/)
        }
        assert.equal((await door.create('/validate', strict)).allowed, true)
      }
    t.diagnostic(`${policies.length * doors.length * 2} variants refused`)
  })
})

describe('a tenant of a namespace without a floor', () => {
  let door: WebhookDoor
  before(async () => {
    door = await openWebhook()
  })
  after(() => door?.stop())

  it('a tenant who adds volumes of the driver under other names cannot have them admitted, with whatever else', async t => {
    const further = (names: readonly string[]): Pod =>
      spec({
        volumes: names.map(name => ({
          name,
          csi: { driver: DRIVER, volumeAttributes: { [`${PREFIX}exclude-inbound-ports`]: '8080' } }
        }))
      })
    const variants = [['aaa'], ['zzz'], ['countersign-2'], ['a', 'b'], ['countersign.x']].map(further)
    const around = [spec({}), ...WAYS_OUT]
    let refused = 0
    for (const variant of variants)
      for (const other of around) {
        const { allowed, message } = await door.create('/inject', asked(together(variant, other)))
        assert.equal(allowed, false)
        assert.match(message, /^spec\.volumes\[\d\]\.csi\.driver|; spec\.volumes\[\d\]\.csi\.driver/)
        refused++
      }
    t.diagnostic(`${refused} variants refused`)
  })
})
