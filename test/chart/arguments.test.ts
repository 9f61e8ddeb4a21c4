import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OPTIONS as AGENT } from '../../agent/options.ts'
import { DEFAULT_BLOCKED_ADDRESSES } from '../../authority/keys/index.ts'
import { OPTIONS as AUTHORITY } from '../../authority/options.ts'
import { CAPTURE_CHOICES } from '../../node/capture/index.ts'
import { OPTIONS as NODE } from '../../node/options.ts'
import { defineOptions, type OptionTable, oneOf, parseOptions } from '../../shared/config/index.ts'
import { LOG_LEVELS } from '../../shared/log/index.ts'
import { WEBHOOK_OPTIONS } from '../../webhook/options.ts'
import { find, type Manifest, render } from './helm.ts'

/** What every program has beside its own options. */
const COMMON = defineOptions({
  logLevel: {
    flag: 'log-level',
    env: 'COUNTERSIGN_LOG_LEVEL',
    group: 'Logging',
    description: '',
    parser: oneOf(LOG_LEVELS)
  }
})

const PROGRAMS: Readonly<Record<string, readonly [kind: string, workload: string, table: OptionTable]>> = {
  webhook: ['Deployment', 'countersign-webhook', WEBHOOK_OPTIONS],
  authority: ['Deployment', 'countersign-authority', AUTHORITY],
  agent: ['DaemonSet', 'countersign-agent', AGENT],
  node: ['DaemonSet', 'countersign-agent', NODE]
}

function container(manifests: readonly Manifest[], program: string): Manifest {
  const [kind, workload] = PROGRAMS[program] ?? ['', '']
  const { containers } = find(manifests, kind, workload)['spec'].template.spec
  return containers.find(({ name }: Manifest) => name === program)
}

/** The options that a program has when it is started as the chart says, on a node called node1. */
function optionsOf(manifests: readonly Manifest[], program: string): Manifest {
  const { args, env = [] } = container(manifests, program) as Manifest
  const variables = new Set(env.map(({ name }: Manifest) => name))
  const argv = args.map((text: string) =>
    text.replace(/\$\((\w+)\)/, (_, name) => (variables.has(name) ? 'node1' : assert.fail(`${name} is not set`)))
  )
  return parseOptions({ ...PROGRAMS[program]?.[2], ...COMMON } as OptionTable, argv, {})
}

describe('the arguments of', () => {
  for (const program of Object.keys(PROGRAMS))
    it(`${program} are options that it has, with values that it takes`, () => {
      assert.equal(optionsOf(render(), program)['logLevel'], 'info')
    })

  it('the authority block what its own default blocks', () => {
    assert.deepEqual(optionsOf(render(), 'authority')['blockedKeyAddresses'], DEFAULT_BLOCKED_ADDRESSES)
  })

  it('the authority follow the values on token issuers', () => {
    const values = { tokenIssuers: { blockedAddresses: ['10.0.0.0/8', 'fd00::/8'], rootsConfigMap: 'issuers' } }
    const manifests = render({ values })
    const { args, volumeMounts } = container(manifests, 'authority')
    assert.ok(args.includes('--blocked-key-addresses=10.0.0.0/8,fd00::/8'), args)
    assert.ok(args.includes('--key-roots=/etc/countersign/token-issuers/ca.crt'), args)
    assert.equal(volumeMounts[0].mountPath, '/etc/countersign/token-issuers')
    const { volumes } = find(manifests, 'Deployment', 'countersign-authority')['spec'].template.spec
    assert.deepEqual(volumes, [{ name: 'token-issuers', configMap: { name: 'issuers' } }])
    const agent = container(manifests, 'agent')
    const extra = agent['env'].find(({ name }: Manifest) => name === 'NODE_EXTRA_CA_CERTS')
    const mounted = agent['volumeMounts'].find(({ name }: Manifest) => name === 'token-issuers')
    assert.equal(extra.value, `${mounted.mountPath}/ca.crt`)
  })

  it('webhook and authority agree on excluded namespaces, and the authority follows the value on enrolment', () => {
    const values = { injection: { excludedNamespaces: ['a', 'b'] }, enrolment: { unenrolledPods: 'allowed' } }
    const manifests = render({ values })
    const authority = optionsOf(manifests, 'authority')
    assert.deepEqual(authority['excludedNamespaces'], optionsOf(manifests, 'webhook')['excludedNamespaces'])
    assert.deepEqual([authority['excludedNamespaces'], authority['unenrolledPods']], [['a', 'b'], 'allowed'])
    assert.equal(optionsOf(render(), 'authority')['unenrolledPods'], 'denied')
  })

  it('the authority say nothing of certificates in Secrets where nobody asked for them', () => {
    const { args } = container(render(), 'authority')
    assert.deepEqual(
      args.filter((text: string) => text.startsWith('--secret-')),
      []
    )
  })

  it('the authority follow the values on certificates in Secrets', () => {
    const lifetimes = { lifetime: '48h', shortestLifetime: '1h', longestLifetime: '7d' }
    const optionsWith = (certificateSecrets: object): Manifest =>
      optionsOf(render({ values: { certificateSecrets } }), 'authority')
    const some = optionsWith({ namespaces: ['shop', 'bank', 'shop'], ...lifetimes })
    assert.deepEqual(some['secretNamespaces'], ['shop', 'bank'])
    const { secretLifetime, secretShortestLifetime, secretLongestLifetime } = some
    assert.deepEqual(
      [secretLifetime, secretShortestLifetime, secretLongestLifetime],
      [172_800_000, 3_600_000, 604_800_000]
    )
    assert.equal(optionsWith({ namespaces: ['*'] })['secretNamespaces'], '*')
  })

  it('the authority have the limits of lifetimes that the chart says they have by themselves', () => {
    const given = optionsOf(render({ values: { certificateSecrets: { namespaces: ['*'] } } }), 'authority')
    const without = optionsOf(render(), 'authority')
    for (const name of ['secretLifetime', 'secretShortestLifetime', 'secretLongestLifetime'])
      assert.equal(given[name], without[name], name)
  })

  it('the webhook follow the values', () => {
    const values = {
      listenHost: '::',
      images: { proxy: { repository: 'r.example/envoy', digest: `sha256:${'0'.repeat(64)}`, pullPolicy: 'Always' } },
      proxy: { cpu: 0.5, cpuLimit: 3, memory: '64Mi', memoryLimit: '2Gi', logLevel: 'debug', drainTime: '5s' },
      injection: { excludedNamespaces: ['a', 'b'] },
      webhook: { certificate: { lifetime: '1h' } }
    }
    const options = optionsOf(render({ values, namespace: 'mesh' }), 'webhook')
    assert.deepEqual(options['listenAddress'], { host: '::', port: 9443 })
    assert.deepEqual(options['dnsNames'], ['countersign-webhook.mesh.svc'])
    assert.equal(options['systemNamespace'], 'mesh')
    assert.deepEqual(options['excludedNamespaces'], ['a', 'b'])
    assert.equal(options['proxyImage'], `r.example/envoy@sha256:${'0'.repeat(64)}`)
    assert.deepEqual([options['proxyCpu'].text, options['proxyCpuLimit'].text], ['0.5', '3'])
    assert.deepEqual([options['proxyDrainTime'], options['certificateLifetime']], [5_000, 3_600_000])
  })

  // Unquoted in a file of values, it is a number.
  for (const [value, expected] of [
    [undefined, '1.3'],
    ['1.2', '1.2'],
    [1.2, '1.2'],
    [1.3, '1.3']
  ] as const)
    it(`the authority have the minimum of TLS ${expected} where the value is ${JSON.stringify(value)}`, () => {
      const values = value === undefined ? {} : { minimumTlsWithoutProxy: value }
      assert.equal(optionsOf(render({ values }), 'authority')['minimumTlsWithoutProxy'], expected)
    })

  it('authority and agent agree on who they are', () => {
    const manifests = render({ values: { trustDomain: 'td.example', logLevel: 'debug' }, namespace: 'mesh' })
    const [agent, authority] = [optionsOf(manifests, 'agent'), optionsOf(manifests, 'authority')]
    assert.equal(agent['trustDomain'], authority['trustDomain'])
    assert.deepEqual(agent['authority'], { host: 'countersign-authority.mesh.svc', port: 15012 })
    assert.equal(authority['listen'].port, 15012)
    assert.equal(authority['systemNamespace'], 'mesh')
    const { serviceAccountName } = find(manifests, 'DaemonSet', 'countersign-agent')['spec'].template.spec
    assert.equal(authority['agentServiceAccount'], serviceAccountName)
    for (const program of Object.keys(PROGRAMS)) assert.equal(optionsOf(manifests, program)['logLevel'], 'debug')
  })

  it('agent and node share one folder of state, and the socket in it', () => {
    const manifests = render()
    const [agent, node] = [optionsOf(manifests, 'agent'), optionsOf(manifests, 'node')]
    assert.equal(agent['state'], node['state'])
    assert.equal(agent['captureSocket'], `${node['state']}/node.sock`)
    for (const program of ['agent', 'node'])
      assert.ok(
        container(manifests, program)['volumeMounts'].some(({ mountPath }: Manifest) => mountPath === agent['state'])
      )
  })

  it('node say by what to capture, in every word that the chart allows', () => {
    for (const capture of CAPTURE_CHOICES)
      assert.equal(optionsOf(render({ values: { agent: { capture } } }), 'node')['capture'], capture)
    assert.equal(optionsOf(render(), 'node')['capture'], 'auto')
  })

  it('agent name files that are mounted', () => {
    const manifests = render()
    const { token, bundle } = optionsOf(manifests, 'agent')
    const mounts = container(manifests, 'agent')['volumeMounts'].map(({ mountPath }: Manifest) => mountPath)
    for (const file of [token, bundle]) assert.ok(mounts.includes(file.slice(0, file.lastIndexOf('/'))), file)
  })

  it('node name the folders of the kubelet that are mounted', () => {
    const folder = '/var/snap/microk8s/common/var/lib/kubelet'
    const manifests = render({ values: { kubeletFolder: folder } })
    const options = optionsOf(manifests, 'node')
    const { volumes } = find(manifests, 'DaemonSet', 'countersign-agent')['spec'].template.spec
    const pathAt = (mountPath: string): string => {
      const { name } = container(manifests, 'node')['volumeMounts'].find(
        (mount: Manifest) => mount['mountPath'] === mountPath
      )
      return volumes.find((volume: Manifest) => volume['name'] === name).hostPath.path
    }
    assert.equal(options['kubelet'], folder)
    assert.equal(pathAt(`${folder}/pods`), `${folder}/pods`)
    assert.equal(pathAt(options['registration']), `${folder}/plugins_registry`)
    assert.equal(pathAt(options['csiSocket'].replace('/csi.sock', '')), `${folder}/plugins/csi.countersign.dev`)
  })

  it('the programs name ports that are declared and probed', () => {
    const manifests = render()
    for (const program of Object.keys(PROGRAMS)) {
      const { ports, readinessProbe, livenessProbe } = container(manifests, program)
      const options = optionsOf(manifests, program)
      const { port } = options['health'] ?? options['healthAddress']
      for (const probe of [readinessProbe, livenessProbe])
        assert.equal(ports.find(({ name }: Manifest) => name === probe.httpGet.port).containerPort, port, program)
    }
  })
})

it('no program takes a variable that a Service made for an option', () => {
  const manifests = render()
  for (const [kind, name] of Object.values(PROGRAMS)) {
    const { spec } = find(manifests, kind, name)['spec'].template
    assert.equal(spec.enableServiceLinks, false, name)
  }
})
