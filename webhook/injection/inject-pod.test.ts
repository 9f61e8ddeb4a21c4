import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import jsonPatch from 'fast-json-patch'
import { parse } from 'yaml'
import type { Pod } from '../pod/index.ts'
import { type InjectionResult, type InjectionSettings, injectPod } from './index.ts'
import { parseQuantity, type Quantity } from './quantity.ts'

const quantity = (text: string): Quantity => parseQuantity(text) ?? assert.fail(text)

const SETTINGS: InjectionSettings = {
  image: 'registry.example/envoy:1.40.0',
  imagePullPolicy: 'IfNotPresent',
  resources: {
    cpu: quantity('100m'),
    cpuLimit: quantity('2'),
    memory: quantity('128Mi'),
    memoryLimit: quantity('1Gi')
  },
  logLevel: 'warning',
  drainTimeSeconds: 45,
  excludedNamespaces: new Set(['kube-system', 'kube-node-lease', 'countersign-system'])
}

const SIMPLE = `
apiVersion: v1
kind: Pod
metadata:
  generateName: web-6d4cf56db6-
  labels: { app: web }
spec:
  containers:
    - name: web
      image: nginx
      ports: [{ containerPort: 8080 }]
`

// As the API server shows it to a webhook: defaults filled in, the account's token mounted.
const FULL = `
apiVersion: v1
kind: Pod
metadata:
  name: api-0
  namespace: shop
  labels: { app: api, countersign.dev/inject: enabled }
  annotations: { prometheus.io/scrape: "true", countersign.dev/service-accounts: "" }
spec:
  serviceAccountName: api
  restartPolicy: Always
  securityContext: { runAsUser: 1000, fsGroup: 2000 }
  initContainers:
    - name: migrate
      image: migrate
      args: [up]
      volumeMounts: [{ name: data, mountPath: /data }]
    - name: log-shipper
      image: ship
      restartPolicy: Always
  containers:
    - name: api
      image: api
      securityContext: { runAsUser: 1001, runAsGroup: 1337 }
      ports:
        - { containerPort: 8080, name: http, protocol: TCP }
        - { containerPort: 15090, name: gossip, protocol: UDP }
      livenessProbe: { httpGet: { path: /healthz, port: http, scheme: HTTP } }
      volumeMounts:
        - { name: data, mountPath: /data }
        - { name: kube-api-access-x, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
  volumes:
    - { name: data, emptyDir: {} }
    - { name: kube-api-access-x, projected: { sources: [{ serviceAccountToken: { path: token } }] } }
`

/** A pod out of YAML, changed. */
function pod(
  yaml: string,
  change: (pod: Pod & { spec: NonNullable<Pod['spec']>; metadata: NonNullable<Pod['metadata']> }) => void = () =>
    undefined
): Pod {
  const made = parse(yaml)
  change(made)
  return made
}

const annotated = (annotations: Record<string, string>): Pod =>
  pod(SIMPLE, ({ metadata }) => {
    metadata.annotations = annotations
  })

const inject = (one: Pod, namespace = 'shop', settings = SETTINGS): InjectionResult =>
  injectPod(one, namespace, settings)

/** The pod after its patch, which must exist. The judge of the patch is a library of its own. */
function injected(one: Pod, settings = SETTINGS): Pod {
  const result = inject(one, 'shop', settings)
  assert.equal(result.kind, 'patch', JSON.stringify(result))
  assert.ok(result.kind === 'patch')
  return jsonPatch.applyPatch(structuredClone(one), structuredClone(result.patch), true).newDocument
}

const proxyOf = (one: Pod) => one.spec?.initContainers?.[0] ?? assert.fail('no init container')

describe('a pod that is injected', () => {
  it('gets one init container before all others and one volume after all others, and no probe is touched that runs a program', () => {
    for (const yaml of [
      SIMPLE,
      FULL.replace('httpGet: { path: /healthz, port: http, scheme: HTTP }', 'exec: { command: [x] }')
    ]) {
      const before = pod(yaml)
      const after = injected(before)
      assert.equal(proxyOf(after).name, 'countersign-proxy')
      assert.equal(after.spec?.volumes?.at(-1)?.name, 'countersign')
      after.spec?.initContainers?.shift()
      after.spec?.volumes?.pop()
      if (before.spec?.initContainers === undefined) delete after.spec?.initContainers
      if (before.spec?.volumes === undefined) delete after.spec?.volumes
      assert.deepEqual(after, before)
    }
  })

  it('gets a patch of two additions and its probes, which can be read', () => {
    const result = inject(pod(FULL))
    assert.ok(result.kind === 'patch')
    assert.deepEqual(
      result.patch.map(({ op, path }) => `${op} ${path}`),
      ['replace /spec/containers/0/livenessProbe/httpGet', 'add /spec/initContainers/0', 'add /spec/volumes/-']
    )
  })

  it('gets lists where it had null, which some clients write', () => {
    const result = injected(
      JSON.parse(JSON.stringify(pod(SIMPLE)).replace('"spec":{', '"spec":{"volumes":null,"initContainers":null,'))
    )
    assert.equal(result.spec?.initContainers?.length, 1)
    assert.equal(result.spec?.volumes?.length, 1)
  })

  it('is changed only in the patch: the object itself stays as it is', () => {
    const before = pod(FULL)
    const copy = structuredClone(before)
    inject(before)
    assert.deepEqual(before, copy)
  })

  it('gets a native sidecar that holds the others back until it is ready', () => {
    const proxy = proxyOf(injected(pod(SIMPLE)))
    assert.equal(proxy.restartPolicy, 'Always')
    assert.deepEqual(proxy.startupProbe, {
      httpGet: { path: '/ready', port: 15021, scheme: 'HTTP' },
      periodSeconds: 1,
      timeoutSeconds: 3,
      failureThreshold: 600
    })
    assert.deepEqual(proxy.readinessProbe?.httpGet, { path: '/ready', port: 15021, scheme: 'HTTP' })
    assert.equal(proxy.livenessProbe, undefined)
    assert.deepEqual(proxy.ports, [{ name: 'proxy-metrics', containerPort: 15090, protocol: 'TCP' }])
    assert.equal(proxy.image, 'registry.example/envoy:1.40.0')
    assert.equal(proxy.imagePullPolicy, 'IfNotPresent')
    assert.equal(proxy.terminationMessagePolicy, 'FallbackToLogsOnError')
  })

  it('gets a volume of its own, read-only, mounted in the proxy only', () => {
    const after = injected(pod(FULL))
    assert.deepEqual(after.spec?.volumes?.at(-1), {
      name: 'countersign',
      csi: {
        driver: 'csi.countersign.dev',
        readOnly: true,
        volumeAttributes: { 'countersign.dev/probes': '{"api":{"liveness":{"port":8080,"path":"/healthz"}}}' }
      }
    })
    assert.deepEqual(proxyOf(after).volumeMounts, [
      { name: 'countersign', mountPath: '/run/countersign', readOnly: true }
    ])
    const others = [...(after.spec?.initContainers?.slice(1) ?? []), ...(after.spec?.containers ?? [])]
    assert.ok(others.every(({ volumeMounts }) => !volumeMounts?.some(({ name }) => name === 'countersign')))
  })

  it('gets the arguments that Envoy needs, with as many workers as it has CPUs', () => {
    assert.deepEqual(proxyOf(injected(pod(SIMPLE))).args, [
      ...['-c', '/run/countersign/envoy.json', '--log-level', 'warning', '--component-log-level', 'misc:error'],
      ...['--concurrency', '2'],
      ...['--drain-time-s', '45', '--drain-strategy', 'immediate', '--file-flush-interval-msec', '1000'],
      '--disable-hot-restart'
    ])
  })

  for (const [limit, workers] of [
    ['100m', '1'],
    ['1', '1'],
    ['1500m', '2'],
    ['8', '8']
  ] as const)
    it(`starts ${workers} workers with a CPU limit of ${limit}`, () => {
      const { args } = proxyOf(injected(annotated({ 'countersign.dev/proxy-cpu-limit': limit })))
      assert.equal(args?.[args.indexOf('--concurrency') + 1], workers)
    })
})

describe('the proxy meets the restricted Pod Security Standard', () => {
  // Kubernetes, Pod Security Standards: each control of the restricted profile that can be set on a container.
  const proxy = proxyOf(injected(pod(SIMPLE)))
  const context = proxy.securityContext
  const controls: Readonly<Record<string, boolean>> = {
    'it is not privileged': context?.privileged === false,
    'it may not gain privileges': context?.allowPrivilegeEscalation === false,
    'it must not run as root': context?.runAsNonRoot === true,
    'it runs as a user that is not root': context?.runAsUser === 1337 && context.runAsGroup === 1337,
    'it has the seccomp profile of the runtime': context?.seccompProfile?.type === 'RuntimeDefault',
    'it drops all capabilities': JSON.stringify(context?.capabilities) === '{"drop":["ALL"]}',
    'it has no port of the host': proxy.ports?.every(({ hostPort }) => hostPort === undefined) ?? false,
    'its probes name no host': [proxy.startupProbe, proxy.readinessProbe].every(
      probe => probe?.httpGet?.host === undefined
    ),
    'its volume is of an allowed type':
      Object.keys(injected(pod(SIMPLE)).spec?.volumes?.[0] ?? {}).join() === 'name,csi',
    'and beyond it: its file system is read-only': context?.readOnlyRootFilesystem === true
  }
  for (const [control, holds] of Object.entries(controls)) it(control, () => assert.ok(holds))
})

describe('annotations', () => {
  it('change resources, log level and the address of the application, for one pod', () => {
    const after = injected(
      annotated({
        'countersign.dev/proxy-cpu': '250m',
        'countersign.dev/proxy-cpu-limit': '3',
        'countersign.dev/proxy-memory': '64Mi',
        'countersign.dev/proxy-memory-limit': '0.5Gi',
        'countersign.dev/proxy-log-level': 'debug',
        'countersign.dev/application-address': 'fd00::1'
      })
    )
    const proxy = proxyOf(after)
    assert.deepEqual(proxy.resources, {
      requests: { cpu: '250m', memory: '64Mi' },
      limits: { cpu: '3', memory: '0.5Gi' }
    })
    assert.equal(proxy.args?.[proxy.args.indexOf('--log-level') + 1], 'debug')
    assert.ok(!proxy.args.includes('--component-log-level'))
    assert.deepEqual(after.spec?.volumes?.[0]?.csi?.volumeAttributes, {
      'countersign.dev/application-address': 'fd00::1'
    })
  })

  it('exclude traffic from capture: the agent reads in the volume what they say', () => {
    const annotations = {
      'countersign.dev/exclude-inbound-ports': '9100, 22',
      'countersign.dev/exclude-outbound-ports': '5432,15001',
      'countersign.dev/exclude-outbound-cidrs': '10.0.0.0/8,fd00::/8',
      'countersign.dev/exclude-interfaces': 'net1',
      'countersign.dev/exclude-outbound-users': '2000,0'
    }
    const after = injected(annotated(annotations))
    assert.deepEqual(after.spec?.volumes?.[0]?.csi?.volumeAttributes, annotations)
    assert.equal(inject(after).kind, 'skip')
  })

  it('that belong to others, or to Services, are none of our business', () => {
    injected(
      annotated({
        'sidecar.istio.io/proxyCPU': 'x',
        'mycountersign.dev/inject': 'x',
        'countersign.dev/service-accounts': 'a',
        'countersign.dev/certificates': 'none of these'
      })
    )
  })

  const LOG_LEVELS = 'one of trace, debug, info, warning, error, critical, off'
  const refusals: Readonly<Record<string, readonly [Record<string, string>, string]>> = {
    'a log level of another program': [
      { 'countersign.dev/proxy-log-level': 'warn' },
      `annotation countersign.dev/proxy-log-level "warn": expected ${LOG_LEVELS}`
    ],
    'an empty value': [
      { 'countersign.dev/proxy-log-level': '' },
      `annotation countersign.dev/proxy-log-level "": expected ${LOG_LEVELS}`
    ],
    'memory with a forgotten unit': [
      { 'countersign.dev/proxy-memory': '128' },
      'annotation countersign.dev/proxy-memory "128": expected an amount of memory from 16Mi to 1Ti'
    ],
    'memory in thousandths of a byte': [
      { 'countersign.dev/proxy-memory': '64m' },
      'annotation countersign.dev/proxy-memory "64m": expected an amount of memory from 16Mi to 1Ti'
    ],
    'no CPU at all': [
      { 'countersign.dev/proxy-cpu': '0' },
      'annotation countersign.dev/proxy-cpu "0": expected an amount of CPU from 1m to 256'
    ],
    'CPU as a word': [
      { 'countersign.dev/proxy-cpu': 'two' },
      'annotation countersign.dev/proxy-cpu "two": expected an amount of CPU from 1m to 256'
    ],
    'a request above a limit that is also annotated': [
      { 'countersign.dev/proxy-cpu': '600m', 'countersign.dev/proxy-cpu-limit': '500m' },
      'annotation countersign.dev/proxy-cpu "600m": expected at most the annotation countersign.dev/proxy-cpu-limit, "500m"'
    ],
    'a request above the default limit': [
      { 'countersign.dev/proxy-memory': '2Gi' },
      'annotation countersign.dev/proxy-memory "2Gi": expected at most the default of countersign.dev/proxy-memory-limit, "1Gi"'
    ],
    'a limit below the default request': [
      { 'countersign.dev/proxy-cpu-limit': '50m' },
      'default of countersign.dev/proxy-cpu "100m": expected at most the annotation countersign.dev/proxy-cpu-limit, "50m"'
    ],
    'an address with a port': [
      { 'countersign.dev/application-address': '127.0.0.1:80' },
      'annotation countersign.dev/application-address "127.0.0.1:80": expected an IPv4 or IPv6 address without a port, such as 127.0.0.1 or ::1'
    ],
    'an address by name': [
      { 'countersign.dev/application-address': 'localhost' },
      'annotation countersign.dev/application-address "localhost": expected an IPv4 or IPv6 address without a port, such as 127.0.0.1 or ::1'
    ],
    'an address with a zone': [
      { 'countersign.dev/application-address': 'fe80::1%eth0' },
      'annotation countersign.dev/application-address "fe80::1%eth0": expected an IPv4 or IPv6 address without a port, such as 127.0.0.1 or ::1'
    ],
    'a switch that is neither on nor off': [
      { 'countersign.dev/rewrite-probes': 'true' },
      'annotation countersign.dev/rewrite-probes "true": expected one of enabled, disabled'
    ],
    'a misspelt annotation': [
      { 'countersign.dev/proxy-cpus': '1' },
      'annotation countersign.dev/proxy-cpus: unknown; did you mean "proxy-cpu"; known are proxy-cpu, proxy-cpu-limit, proxy-memory, proxy-memory-limit, proxy-log-level, application-address, rewrite-probes, exclude-inbound-ports, exclude-outbound-ports, exclude-outbound-cidrs, exclude-interfaces, exclude-outbound-users, certificates'
    ],
    'an excluded port that is none': [
      { 'countersign.dev/exclude-outbound-ports': '443,0' },
      'annotation countersign.dev/exclude-outbound-ports "443,0": expected 1 to 64 entries separated by commas, each a port from 1 to 65535'
    ],
    'an excluded port that the proxy needs': [
      { 'countersign.dev/exclude-inbound-ports': '9100,15090' },
      'annotation countersign.dev/exclude-inbound-ports "9100,15090": expected 1 to 64 entries separated by commas, each a port from 1 to 65535 other than 15001, 15006, 15020, 15021, 15090, which the proxy itself needs'
    ],
    'an excluded list of nothing': [
      { 'countersign.dev/exclude-inbound-ports': '' },
      'annotation countersign.dev/exclude-inbound-ports "": expected 1 to 64 entries separated by commas, each a port from 1 to 65535 other than 15001, 15006, 15020, 15021, 15090, which the proxy itself needs'
    ],
    'an excluded address without a prefix': [
      { 'countersign.dev/exclude-outbound-cidrs': '10.0.0.1' },
      'annotation countersign.dev/exclude-outbound-cidrs "10.0.0.1": expected 1 to 64 entries separated by commas, each a prefix such as 10.0.0.0/8 or fd00::/8'
    ],
    'the excluded interface within the pod': [
      { 'countersign.dev/exclude-interfaces': 'net1,lo' },
      'annotation countersign.dev/exclude-interfaces "net1,lo": expected 1 to 64 entries separated by commas, each the name of an interface of at most 15 letters, digits, dots, dashes and underscores, other than lo'
    ],
    'the user of the proxy as one that is excluded': [
      { 'countersign.dev/exclude-outbound-users': '1337' },
      'annotation countersign.dev/exclude-outbound-users "1337": expected 1 to 64 entries separated by commas, each the number of a user from 0 to 2147483647 other than 1337, which is the proxy'
    ],
    'an exclusion from capture where nothing is captured': [
      { 'countersign.dev/exclude-inbound-ports': '22', 'countersign.dev/application-address': '127.0.0.1' },
      'annotation countersign.dev/exclude-inbound-ports "22": expected none together with countersign.dev/application-address: where the proxy owns the address, nothing is captured'
    ],
    'a misspelt exclusion': [
      { 'countersign.dev/exclude-inbound-port': '80' },
      'annotation countersign.dev/exclude-inbound-port: unknown; did you mean "exclude-inbound-ports"; known are proxy-cpu, proxy-cpu-limit, proxy-memory, proxy-memory-limit, proxy-log-level, application-address, rewrite-probes, exclude-inbound-ports, exclude-outbound-ports, exclude-outbound-cidrs, exclude-interfaces, exclude-outbound-users, certificates'
    ],
    'the label as an annotation': [
      { 'countersign.dev/inject': 'disabled' },
      'annotation countersign.dev/inject: not an annotation but a label, of a pod or a namespace'
    ]
  }
  for (const [what, [annotations, message]] of Object.entries(refusals))
    it(`are refused for ${what}`, () => {
      const result = inject(annotated(annotations))
      assert.deepEqual(result, { kind: 'refuse', problems: [message], message })
    })
})

describe('a pod is left alone', () => {
  const skips: Readonly<Record<string, readonly [string, Pod, string]>> = {
    'in the network of its node': [
      'host-network',
      pod(SIMPLE, ({ spec }) => {
        spec.hostNetwork = true
      }),
      'shop'
    ],
    'in the network of its node, whatever else is wrong with it': [
      'host-network',
      pod(SIMPLE, ({ spec, metadata }) => {
        spec.hostNetwork = true
        metadata.annotations = { 'countersign.dev/nonsense': 'x' }
      }),
      'shop'
    ],
    'in kube-system': ['excluded-namespace', pod(SIMPLE), 'kube-system'],
    'in kube-node-lease': ['excluded-namespace', pod(SIMPLE), 'kube-node-lease'],
    'in the namespace of Countersign': ['excluded-namespace', pod(FULL), 'countersign-system'],
    'with its label': [
      'disabled-by-label',
      pod(SIMPLE, ({ metadata }) => {
        metadata.labels = { 'countersign.dev/inject': 'disabled' }
      }),
      'shop'
    ],
    'when it is the mirror of a static pod': [
      'mirror-pod',
      pod(SIMPLE, ({ metadata }) => {
        metadata.annotations = { 'kubernetes.io/config.mirror': 'abc' }
      }),
      'shop'
    ],
    'on Windows': [
      'windows',
      pod(SIMPLE, ({ spec }) => {
        spec.os = { name: 'windows' }
      }),
      'shop'
    ],
    'when it was injected before': ['already-injected', injected(pod(FULL)), 'shop']
  }
  for (const [what, [reason, one, namespace]] of Object.entries(skips))
    it(what, () => {
      const result = inject(one, namespace)
      assert.equal(result.kind === 'skip' && result.reason, reason, JSON.stringify(result))
    })

  it('by the namespace of the request, not by the one that it names itself', () => {
    const liar = pod(FULL, ({ metadata }) => {
      metadata.namespace = 'kube-system'
    })
    assert.equal(inject(liar, 'shop').kind, 'patch')
  })
})

describe('a pod is refused', () => {
  const container = (name: string, fields: object) => ({ name, image: 'x', ...fields })
  const USER = 'expected any user but 1337, whose traffic bypasses the proxy'
  const PORTS = 'expected any port but 15001, 15006, 15020, 15021, 15090; the proxy uses it'
  const RESERVED = 'the name is reserved, and this is not what Countersign adds'
  const refusals: Readonly<Record<string, readonly [Pod, string]>> = {
    'for a label that is neither enabled nor disabled': [
      pod(SIMPLE, ({ metadata }) => {
        metadata.labels = { 'countersign.dev/inject': 'true' }
      }),
      'label countersign.dev/inject "true": expected one of enabled, disabled'
    ],
    'for an empty label': [
      pod(SIMPLE, ({ metadata }) => {
        metadata.labels = { 'countersign.dev/inject': '' }
      }),
      'label countersign.dev/inject "": expected one of enabled, disabled'
    ],
    'for the user of the proxy in a container': [
      pod(SIMPLE, ({ spec }) => {
        spec.containers = [container('web', { securityContext: { runAsUser: 1337 } })]
      }),
      `spec.containers["web"].securityContext.runAsUser 1337: ${USER}`
    ],
    'for the user of the proxy in an init container': [
      pod(SIMPLE, ({ spec }) => {
        spec.initContainers = [container('prepare', { securityContext: { runAsUser: 1337 } })]
      }),
      `spec.initContainers["prepare"].securityContext.runAsUser 1337: ${USER}`
    ],
    'for the user of the proxy as that of the pod, where a container inherits it': [
      pod(SIMPLE, ({ spec }) => {
        spec.securityContext = { runAsUser: 1337 }
        spec.containers.push(container('other', { securityContext: { runAsUser: 5 } }))
      }),
      `spec.securityContext.runAsUser 1337: ${USER}`
    ],
    'for a port of the proxy': [
      pod(SIMPLE, ({ spec }) => {
        spec.containers = [container('web', { ports: [{ containerPort: 15006 }] })]
      }),
      `spec.containers["web"].ports 15006: ${PORTS} (inbound)`
    ],
    'for a port of the proxy in a sidecar': [
      pod(SIMPLE, ({ spec }) => {
        spec.initContainers = [container('side', { ports: [{ containerPort: 15090, protocol: 'TCP' }] })]
      }),
      `spec.initContainers["side"].ports 15090: ${PORTS} (metrics)`
    ],
    'with the sidecar of Istio': [
      pod(SIMPLE, ({ spec }) => {
        spec.initContainers = [container('istio-proxy', { restartPolicy: 'Always' })]
      }),
      'spec.initContainers["istio-proxy"]: the proxy of Istio; a pod can only be in one mesh'
    ],
    'with the sidecar of Linkerd': [
      pod(SIMPLE, ({ spec }) => {
        spec.containers.push(container('linkerd-proxy', {}))
      }),
      'spec.containers["linkerd-proxy"]: the proxy of Linkerd; a pod can only be in one mesh'
    ],
    'when another mesh joined after it was injected': [
      (() => {
        const one = injected(pod(SIMPLE))
        one.spec?.containers.push(container('istio-proxy', {}))
        return one
      })(),
      'spec.containers["istio-proxy"]: the proxy of Istio; a pod can only be in one mesh'
    ],
    'with a volume of our name alone': [
      pod(SIMPLE, ({ spec }) => {
        spec.volumes = [{ name: 'countersign', emptyDir: {} }]
      }),
      `spec.volumes["countersign"]: ${RESERVED}: there is no container countersign-proxy with it`
    ],
    'with our container and somebody else’s volume': [
      (() => {
        const one = injected(pod(SIMPLE))
        if (one.spec) one.spec.volumes = [{ name: 'countersign', emptyDir: {} }]
        return one
      })(),
      `spec.volumes["countersign"]: ${RESERVED}: expected {"driver":"csi.countersign.dev","readOnly":true}`
    ],
    'with our container and no volume': [
      (() => {
        const one = injected(pod(SIMPLE))
        if (one.spec) one.spec.volumes = []
        return one
      })(),
      'spec.volumes["countersign"]: missing, though there is a container countersign-proxy'
    ],
    'with our volume written otherwise than its annotation says': [
      (() => {
        const one = injected(annotated({ 'countersign.dev/application-address': '127.0.0.1' }))
        if (one.metadata) one.metadata.annotations = { 'countersign.dev/application-address': '127.0.0.2' }
        return one
      })(),
      `spec.volumes["countersign"]: ${RESERVED}: expected {"driver":"csi.countersign.dev","readOnly":true,"volumeAttributes":{"countersign.dev/application-address":"127.0.0.2"}}`
    ],
    'with a volume that excludes more than its annotation says': [
      (() => {
        const one = injected(annotated({ 'countersign.dev/exclude-inbound-ports': '9100' }))
        const attributes = one.spec?.volumes?.[0]?.csi?.volumeAttributes ?? assert.fail()
        attributes['countersign.dev/exclude-inbound-ports'] = '9100,8080'
        return one
      })(),
      `spec.volumes["countersign"]: ${RESERVED}: expected {"driver":"csi.countersign.dev","readOnly":true,"volumeAttributes":{"countersign.dev/exclude-inbound-ports":"9100"}}`
    ],
    'with a proxy that would not hold the others back': [
      (() => {
        const one = injected(pod(SIMPLE))
        delete proxyOf(one).startupProbe
        delete proxyOf(one).restartPolicy
        return one
      })(),
      `spec.initContainers["countersign-proxy"]: ${RESERVED}: lacks restartPolicy Always, a startup probe on port 15021`
    ]
  }
  for (const [what, [one, message]] of Object.entries(refusals))
    it(what, () => assert.deepEqual(inject(one), { kind: 'refuse', problems: [message], message }))

  const beside: Readonly<Record<string, readonly [(one: Pod) => unknown, RegExp]>> = {
    'a container with the user of the proxy': [
      ({ spec }) => spec?.containers.push(container('me', { securityContext: { runAsUser: 1337 } })),
      /^spec\.containers\["me"\]\.securityContext\.runAsUser 1337: /
    ],
    'the user of the proxy as that of the pod': [
      ({ spec }) => Object.assign(spec ?? {}, { shareProcessNamespace: true, securityContext: { runAsUser: 1337 } }),
      /^spec\.securityContext\.runAsUser 1337: /
    ],
    'an init container with the user of the proxy': [
      ({ spec }) => spec?.initContainers?.push(container('me', { securityContext: { runAsUser: 1337 } })),
      /^spec\.initContainers\["me"\]\.securityContext\.runAsUser 1337: /
    ],
    'a port of the proxy': [
      ({ spec }) => spec?.containers.push(container('me', { ports: [{ containerPort: 15006 }] })),
      /^spec\.containers\["me"\]\.ports 15006: /
    ],
    'a wrong label': [
      ({ metadata }) => Object.assign(metadata?.labels ?? {}, { 'countersign.dev/inject': 'yes' }),
      /^label countersign\.dev\/inject "yes": /
    ]
  }
  for (const [what, [change, message]] of Object.entries(beside))
    it(`with ${what}, also when it brings the proxy along`, () => {
      const one = injected(pod(SIMPLE))
      change(one)
      const result = inject(one)
      assert.ok(result.kind === 'refuse', JSON.stringify(result))
      assert.equal(result.problems.length, 1)
      assert.match(result.message, message)
    })

  it('with a container of our name that is not ours, where it stands', () => {
    const result = inject(
      pod(SIMPLE, ({ spec }) => {
        spec.containers.push(container('countersign-proxy', {}))
      })
    )
    assert.ok(result.kind === 'refuse')
    assert.match(
      result.message,
      /^spec\.containers\["countersign-proxy"\]: the name is reserved, .*lacks a place in spec\.initContainers, restartPolicy/
    )
  })

  it('for everything at once', () => {
    const result = inject(
      pod(SIMPLE, ({ spec, metadata }) => {
        metadata.labels = { 'countersign.dev/inject': 'yes' }
        metadata.annotations = { 'countersign.dev/proxy-cpu': 'x', 'countersign.dev/proxy-mem': '1Gi' }
        spec.containers = [
          container('istio-proxy', { ports: [{ containerPort: 15001 }], securityContext: { runAsUser: 1337 } })
        ]
        spec.volumes = [{ name: 'countersign', emptyDir: {} }]
      })
    )
    assert.ok(result.kind === 'refuse')
    assert.equal(result.problems.length, 7)
    assert.equal(result.message, result.problems.join('; '))
  })

  it('not for the user of the proxy as that of the pod, where every container has its own', () => {
    injected(
      pod(SIMPLE, ({ spec }) => {
        spec.securityContext = { runAsUser: 1337 }
        spec.containers = [container('web', { securityContext: { runAsUser: 5 } })]
      })
    )
  })
})

describe('injecting twice gives the same pod', () => {
  it('also when the API server has filled in defaults and other webhooks have changed the proxy', () => {
    const one = injected(pod(FULL))
    const proxy = proxyOf(one)
    Object.assign(proxy, {
      image: 'mirror.example/envoy:1.40.0',
      terminationMessagePath: '/dev/termination-log',
      env: [{ name: 'ADDED', value: 'by another webhook' }],
      resources: { requests: { cpu: '0.1', memory: '128Mi' }, limits: { cpu: '2', memory: '1Gi' } }
    })
    Object.assign(proxy.startupProbe ?? {}, { successThreshold: 1 })
    proxy.volumeMounts?.push({ name: 'kube-api-access-x', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' })
    one.spec?.initContainers?.unshift({ name: 'first', image: 'x' })
    const result = inject(one)
    assert.equal(result.kind === 'skip' && result.reason, 'already-injected', JSON.stringify(result))
  })

  it('also under other settings', () => {
    const result = inject(injected(pod(FULL)), 'shop', {
      ...SETTINGS,
      image: 'other',
      logLevel: 'info',
      drainTimeSeconds: 1
    })
    assert.equal(result.kind === 'skip' && result.reason, 'already-injected')
  })

  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
  const probe = fc.oneof(
    fc.record({ exec: fc.record({ command: fc.array(fc.string()) }) }),
    fc.record({ tcpSocket: fc.record({ port: fc.integer({ min: 1, max: 15_000 }) }), periodSeconds: fc.nat() }),
    fc.record({ grpc: fc.record({ port: fc.integer({ min: 1, max: 15_000 }), service: fc.string() }) }),
    fc.record({
      httpGet: fc.record(
        {
          port: fc.integer({ min: 1, max: 15_000 }),
          path: fc.string({ unit: 'binary' }),
          scheme: fc.constantFrom('HTTP', 'HTTPS'),
          httpHeaders: fc.array(fc.record({ name, value: fc.string() }))
        },
        { requiredKeys: ['port'] }
      ),
      periodSeconds: fc.nat()
    })
  )
  const container = fc.record(
    {
      name,
      image: fc.string(),
      args: fc.array(fc.string()),
      env: fc.array(fc.record({ name, value: fc.string() })),
      ports: fc.array(fc.record({ containerPort: fc.integer({ min: 1, max: 15_000 }) })),
      securityContext: fc.record({ runAsUser: fc.integer({ min: 0, max: 1_336 }) }),
      volumeMounts: fc.array(fc.record({ name, mountPath: fc.string() })),
      restartPolicy: fc.constant('Always'),
      livenessProbe: probe,
      readinessProbe: probe
    },
    { requiredKeys: ['name'] }
  )
  const probed = ({ spec }: Pod) => [
    ...(spec?.initContainers ?? []).filter(one => one.name !== 'countersign-proxy' && one.restartPolicy === 'Always'),
    ...(spec?.containers ?? [])
  ]
  const anyPod = fc.record(
    {
      metadata: fc.record(
        {
          name,
          generateName: name,
          labels: fc.dictionary(name, fc.string()),
          annotations: fc.oneof(
            fc.dictionary(name, fc.string()),
            fc.constant({ 'countersign.dev/rewrite-probes': 'disabled' }),
            fc.constant({ 'countersign.dev/application-address': '10.0.0.1', 'countersign.dev/proxy-cpu': '1' }),
            fc.constant({ 'countersign.dev/exclude-interfaces': 'net1', 'countersign.dev/exclude-inbound-ports': '22' })
          )
        },
        { requiredKeys: [] }
      ),
      spec: fc.record(
        {
          containers: fc.array(container, { maxLength: 5 }),
          initContainers: fc.array(container, { maxLength: 5 }),
          volumes: fc.array(fc.record({ name: name.map(text => `v-${text}`), emptyDir: fc.constant({}) })),
          nodeName: name,
          tolerations: fc.array(fc.dictionary(name, fc.string()))
        },
        { requiredKeys: ['containers'] }
      )
    },
    { requiredKeys: ['spec'] }
  )

  it('for any pod, and every field that was there before is still there, untouched but for where probes go', () => {
    fc.assert(
      fc.property(anyPod, generated => {
        const before = JSON.parse(JSON.stringify(generated)) as Pod
        const after = injected(before)
        assert.equal(inject(after).kind, 'skip')
        if (before.metadata?.annotations?.['countersign.dev/rewrite-probes'] !== 'disabled')
          for (const [index, container] of probed(after).entries()) {
            const original = probed(before)[index] ?? assert.fail()
            for (const field of ['livenessProbe', 'readinessProbe'] as const) {
              const { httpGet, tcpSocket, grpc } = original[field] ?? {}
              const asks = (httpGet ?? tcpSocket ?? grpc) !== undefined
              assert.equal(container[field]?.httpGet?.port, asks ? 15_020 : undefined)
              if (!asks) continue
              delete container[field]?.httpGet
              Object.assign(container[field] ?? {}, original[field])
            }
          }
        const [proxy, ...initContainers] = after.spec?.initContainers ?? []
        const volumes = after.spec?.volumes?.slice(0, -1)
        assert.equal(proxy?.name, 'countersign-proxy')
        assert.deepEqual(initContainers, before.spec?.initContainers ?? [])
        assert.deepEqual(volumes, before.spec?.volumes ?? [])
        const rest = (one: Pod) => ({ ...one, spec: { ...one.spec, initContainers: [], volumes: [] } })
        assert.deepEqual(rest(after), rest(before))
      }),
      { numRuns: 300 }
    )
  })
})
