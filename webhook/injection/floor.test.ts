import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import jsonPatch from 'fast-json-patch'
import { parseOptions } from '../../shared/config/index.ts'
import { type FloorRules, NO_FLOOR } from '../../shared/floor/index.ts'
import { WEBHOOK_OPTIONS } from '../options.ts'
import type { Pod } from '../pod/index.ts'
import { injectionSettings } from '../settings.ts'
import { type InjectionResult, type InjectionSettings, injectPod, refusePodChange } from './index.ts'

const WITHOUT = injectionSettings(parseOptions(WEBHOOK_OPTIONS, [], {}))
const NONE: FloorRules = NO_FLOOR.mesh

const settingsWith = (rules: Partial<FloorRules>, where: 'mesh' | 'shop'): InjectionSettings => ({
  ...WITHOUT,
  floor:
    where === 'mesh'
      ? { mesh: { ...NONE, ...rules }, namespaces: new Map() }
      : { mesh: NONE, namespaces: new Map([['shop', { ...NONE, ...rules }]]) }
})

interface Parts {
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec?: object
}

const pod = ({ labels = {}, annotations = {}, spec = {} }: Parts = {}): Pod =>
  structuredClone({ metadata: { labels, annotations }, spec: { containers: [{ name: 'web' }], ...spec } })

const INJECT = 'countersign.dev/inject'
const MIRROR = { 'kubernetes.io/config.mirror': 'x' }

const messageOf = (result: InjectionResult): string =>
  result.kind === 'refuse' ? result.message : assert.fail(`not refused: ${JSON.stringify(result)}`)

/** The pod as it is injected, then changed. */
function injectedAnd(change: (proxy: Record<string, unknown>) => void, settings = WITHOUT): Pod {
  const before = pod()
  const result = injectPod(before, 'shop', settings)
  assert.ok(result.kind === 'patch')
  const after = jsonPatch.applyPatch(before, structuredClone([...result.patch])).newDocument
  change(after.spec?.initContainers?.[0] as unknown as Record<string, unknown>)
  return after
}

describe('a volume of the driver under another name', () => {
  const csi = { driver: 'csi.countersign.dev', readOnly: true }
  const second = {
    volumes: [{ name: 'aaa', csi: { ...csi, volumeAttributes: { 'countersign.dev/exclude-inbound-ports': '8080' } } }]
  }
  const seen: Readonly<Record<string, Pod>> = {
    'a pod that would be injected': pod({ spec: second }),
    'a pod that says no': pod({ labels: { [INJECT]: 'disabled' }, spec: second }),
    'a pod on the network of its node': pod({ spec: { ...second, hostNetwork: true } }),
    'a pod for Windows': pod({ spec: { ...second, os: { name: 'windows' } } }),
    'a pod that was injected before': (() => {
      const before = injectedAnd(() => {})
      before.spec?.volumes?.unshift(...second.volumes)
      return before
    })()
  }
  for (const [title, one] of Object.entries(seen))
    it(`is refused in ${title}, by its field`, () => {
      assert.match(
        messageOf(injectPod(one, 'shop', WITHOUT)),
        /^spec\.volumes\[0\]\.csi\.driver "csi\.countersign\.dev" of volume "aaa": expected another driver; the volume of the proxy is named countersign/
      )
    })

  it('is refused beside others, each by its field', () => {
    const volumes = ['a', 'data', 'b'].map(name => (name === 'data' ? { name, emptyDir: {} } : { name, csi }))
    const result = injectPod(pod({ spec: { volumes } }), 'shop', WITHOUT)
    assert.ok(result.kind === 'refuse')
    assert.deepEqual(
      result.problems.map(problem => problem.slice(0, 15)),
      ['spec.volumes[0]', 'spec.volumes[2]']
    )
  })

  it('is no matter in the mirror of a static pod, which nothing can change', () => {
    const one = pod({ annotations: MIRROR, spec: second })
    assert.equal(injectPod(one, 'shop', WITHOUT).kind, 'skip')
  })

  it('is allowed of other drivers', () => {
    const one = pod({ spec: { volumes: [{ name: 'aaa', csi: { driver: 'csi.example' } }] } })
    assert.equal(injectPod(one, 'shop', WITHOUT).kind, 'patch')
  })
})

for (const where of ['mesh', 'shop'] as const)
  describe(`where the floor of ${where} demands injection`, () => {
    const settings = settingsWith({ injection: true }, where)
    const refused: Readonly<Record<string, readonly [Parts, RegExp]>> = {
      'the label that says no': [
        { labels: { [INJECT]: 'disabled' } },
        /^label countersign\.dev\/inject "disabled": .*docs\/floor\.md.*remove the label/
      ],
      'the network of the node': [{ spec: { hostNetwork: true } }, /^spec\.hostNetwork true: .*without a proxy/],
      Windows: [{ spec: { os: { name: 'windows' } } }, /^spec\.os\.name "windows": /],
      'both of them': [{ labels: { [INJECT]: 'disabled' }, spec: { hostNetwork: true } }, /^spec\.hostNetwork true/],
      'a label with a wrong value': [{ labels: { [INJECT]: 'Disabled' } }, /expected one of enabled, disabled/]
    }
    for (const [title, [parts, message]] of Object.entries(refused))
      it(`a pod with ${title} is refused`, () =>
        assert.match(messageOf(injectPod(pod(parts), 'shop', settings)), message))

    it('every other pod gets its proxy', () => {
      for (const parts of [
        {},
        { labels: { [INJECT]: 'enabled' } },
        { annotations: { 'countersign.dev/exclude-outbound-ports': '53' } }
      ])
        assert.equal(injectPod(pod(parts), 'shop', settings).kind, 'patch')
    })

    it('mirror pods and excluded namespaces are left as they are', () => {
      const spec = { hostNetwork: true }
      const labels = { [INJECT]: 'disabled' }
      const mirror = injectPod(pod({ annotations: MIRROR, labels, spec }), 'shop', settings)
      assert.ok(mirror.kind === 'skip' && mirror.reason === 'mirror-pod')
      const excluded = injectPod(pod({ labels, spec }), 'kube-system', settings)
      assert.ok(excluded.kind === 'skip' && excluded.reason === 'excluded-namespace')
    })

    it('other namespaces are as before', () => {
      const result = injectPod(pod({ labels: { [INJECT]: 'disabled' } }), 'bank', settings)
      assert.equal(result.kind, where === 'mesh' ? 'refuse' : 'skip')
    })
  })

const OPENING: Readonly<Record<string, string>> = {
  'countersign.dev/exclude-inbound-ports': '8080',
  'countersign.dev/exclude-interfaces': 'net1',
  'countersign.dev/application-address': '127.0.0.1'
}
for (const rule of ['mutualTls', 'endUserChecks'] as const)
  describe(`where the floor demands ${rule}`, () => {
    const settings = settingsWith({ [rule]: true }, 'shop')
    for (const [name, text] of Object.entries(OPENING)) {
      it(`a pod is refused whose ${name} lets connections past its proxy`, () => {
        const message = messageOf(injectPod(pod({ annotations: { [name]: text } }), 'shop', settings))
        assert.match(message, new RegExp(`annotation ${name} "${text}": .*bypass the proxy.*floor`))
      })

      it(`a pod is refused that was injected with ${name} before`, () => {
        const annotations = { [name]: text }
        const before = pod({ annotations })
        const result = injectPod(before, 'shop', WITHOUT)
        assert.ok(result.kind === 'patch')
        const after = jsonPatch.applyPatch(before, structuredClone([...result.patch])).newDocument
        assert.match(messageOf(injectPod(after, 'shop', settings)), /bypass the proxy/)
      })
    }

    it('a pod may exclude outgoing connections, and go without a proxy where injection is not demanded', () => {
      const annotations = {
        'countersign.dev/exclude-outbound-ports': '53',
        'countersign.dev/exclude-outbound-users': '0'
      }
      assert.equal(injectPod(pod({ annotations }), 'shop', settings).kind, 'patch')
      assert.equal(injectPod(pod({ labels: { [INJECT]: 'disabled' } }), 'shop', settings).kind, 'skip')
    })
  })

describe('the image of the proxy of a running pod', () => {
  const settings = settingsWith({ injection: true }, 'shop')
  const before = injectedAnd(() => {})
  const changed = injectedAnd(proxy => Object.assign(proxy, { image: 'mine' }))

  it('cannot be changed where the floor demands injection', () => {
    const refused = refusePodChange(before, changed, 'shop', settings)
    assert.ok(refused?.kind === 'refuse')
    assert.match(refused.message, /^spec\.initContainers\["countersign-proxy"\]\.image "mine": expected envoyproxy/)
  })

  it('can be changed to that of the webhook, and everything else of the pod can be', () => {
    assert.equal(refusePodChange(changed, before, 'shop', settings), undefined)
    assert.equal(refusePodChange(changed, changed, 'shop', settings), undefined)
    const other = injectedAnd(() => {})
    Object.assign(other.spec?.containers[0] ?? {}, { image: 'newer' })
    assert.equal(refusePodChange(before, other, 'shop', settings), undefined)
    assert.equal(refusePodChange(pod(), pod({ labels: { a: 'b' } }), 'shop', settings), undefined)
  })

  it('can be changed where no floor demands injection', () => {
    for (const [namespace, of] of [
      ['bank', settings],
      ['shop', WITHOUT],
      ['shop', settingsWith({ mutualTls: true }, 'shop')],
      ['kube-system', settingsWith({ injection: true }, 'mesh')]
    ] as const)
      assert.equal(refusePodChange(before, changed, namespace, of), undefined)
  })
})
