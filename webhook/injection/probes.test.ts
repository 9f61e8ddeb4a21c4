import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import jsonPatch from 'fast-json-patch'
import { parse } from 'yaml'
import { readProbes } from '../../shared/probes/index.ts'
import type { Pod } from '../pod/index.ts'
import { type InjectionResult, type InjectionSettings, injectPod } from './index.ts'
import { parseQuantity, type Quantity } from './quantity.ts'

const quantity = (text: string): Quantity => parseQuantity(text) ?? assert.fail(text)
const SETTINGS: InjectionSettings = {
  image: 'envoy',
  imagePullPolicy: 'IfNotPresent',
  resources: { cpu: quantity('1m'), cpuLimit: quantity('1'), memory: quantity('16Mi'), memoryLimit: quantity('1Gi') },
  logLevel: 'warning',
  drainTimeSeconds: 1,
  excludedNamespaces: new Set()
}

/** A pod with one container `web`, with these fields. */
const web = (fields: string, spec = ''): Pod =>
  parse(`{ metadata: {}, spec: { containers: [{ name: web, image: x, ${fields} }] ${spec} } }`)
const readiness = (httpGet: string, more = ''): Pod => web(`readinessProbe: { httpGet: { ${httpGet} } } ${more}`)
const annotated = (pod: Pod, annotations: Record<string, string>): Pod => ({ ...pod, metadata: { annotations } })

const inject = (pod: Pod): InjectionResult => injectPod(pod, 'shop', SETTINGS)
function injected(pod: Pod): Pod {
  const result = inject(pod)
  assert.ok(result.kind === 'patch', JSON.stringify(result))
  return jsonPatch.applyPatch(structuredClone(pod), structuredClone(result.patch), true).newDocument
}
const attributesOf = (pod: Pod): Record<string, string> =>
  pod.spec?.volumes?.find(({ name }) => name === 'countersign')?.csi?.volumeAttributes ?? {}
function probesOf(pod: Pod) {
  const read = readProbes(attributesOf(pod)['countersign.dev/probes'] ?? '{}')
  assert.ok('probes' in read, JSON.stringify(read))
  return read.probes
}

describe('a probe of kind httpGet', () => {
  for (const [field, kind] of [
    ['startupProbe', 'startup'],
    ['readinessProbe', 'readiness'],
    ['livenessProbe', 'liveness']
  ] as const)
    it(`is led to the proxy as ${field}, and everything else of it stays`, () => {
      const before = web(`${field}: { httpGet: { port: 8080, path: /x, scheme: HTTP }, periodSeconds: 3 }`)
      const after = injected(before)
      assert.deepEqual(after.spec?.containers[0]?.[field], {
        httpGet: { path: `/app-health/web/${kind}`, port: 15_020, scheme: 'HTTP' },
        periodSeconds: 3
      })
      const headers: [] = []
      assert.deepEqual(probesOf(after), [
        { container: 'web', kind, protocol: 'http', port: 8080, path: '/x', scheme: 'HTTP', headers }
      ])
    })

  it('is led to the proxy in sidecars and in every container, where it stands', () => {
    const get = '{ httpGet: { port: 80, path: / } }'
    const pod: Pod = parse(`{ spec: {
      initContainers: [{ name: once }, { name: side, restartPolicy: Always, startupProbe: ${get} }],
      containers: [{ name: a }, { name: b, livenessProbe: ${get}, readinessProbe: ${get} }] } }`)
    const result = inject(pod)
    assert.ok(result.kind === 'patch')
    assert.deepEqual(
      result.patch.map(({ op, path }) => `${op} ${path}`),
      [
        'replace /spec/initContainers/1/startupProbe/httpGet',
        'replace /spec/containers/1/readinessProbe/httpGet',
        'replace /spec/containers/1/livenessProbe/httpGet',
        'add /spec/initContainers/0',
        'add /spec/volumes'
      ]
    )
    const after = injected(pod)
    assert.deepEqual(
      probesOf(after).map(({ container, kind }) => `${container} ${kind}`),
      ['side startup', 'b readiness', 'b liveness']
    )
    assert.equal(after.spec?.initContainers?.[2]?.startupProbe?.httpGet?.port, 15_020)
  })

  const asked: Readonly<Record<string, readonly [Pod, object]>> = {
    'a port by name': [readiness('port: http', ', ports: [{ name: http, containerPort: 8080 }]'), { port: 8080 }],
    'a port by a number in text': [readiness('port: "8080"'), { port: 8080 }],
    'no path': [readiness('port: 80'), { path: '/' }],
    'a path without a slash': [readiness('port: 80, path: healthz'), { path: '/healthz' }],
    'a query': [readiness('port: 80, path: "/x?a=1&b=%20"'), { path: '/x?a=1&b=%20' }],
    'a fragment, which is not sent': [readiness('port: 80, path: "/x#top"'), { path: '/x' }],
    'a path with spaces and letters of the world': [readiness('port: 80, path: "/ä b\\n"'), { path: '/%C3%A4%20b%0A' }],
    TLS: [readiness('port: 443, scheme: HTTPS'), { scheme: 'HTTPS' }],
    'a host, which the application reads with the port': [
      readiness('port: 80, host: a.example'),
      { host: 'a.example:80' }
    ],
    'a host that is an IPv6 address': [readiness('port: 80, host: "fd00::1"'), { host: '[fd00::1]:80' }],
    'a Host header, which comes before a host': [
      readiness('port: 80, host: a, httpHeaders: [{ name: HOST, value: b }]'),
      { host: 'b', headers: [] }
    ],
    'an empty Host header, which is none': [
      readiness('port: 80, httpHeaders: [{ name: Host, value: "" }]'),
      { headers: [] }
    ],
    'headers, in order, twice, empty': [
      readiness('port: 80, httpHeaders: [{ name: A, value: "1" }, { name: a, value: "100%" }, { name: B }]'),
      {
        headers: [
          ['A', '1'],
          ['a', '100%'],
          ['B', '']
        ]
      }
    ],
    'headers that the kubelet would not send': [
      readiness('port: 80, httpHeaders: [{ name: Content-Length, value: "7" }, { name: Trailer, value: x }]'),
      { headers: [] }
    ]
  }
  for (const [what, [pod, expected]] of Object.entries(asked))
    it(`is remembered with ${what}`, () => {
      const [probe] = probesOf(injected(pod))
      assert.partialDeepStrictEqual(probe, expected)
      if (!('host' in expected)) assert.ok(probe && !('host' in probe))
    })

  it('is rewritten the same way where the application has an address of its own', () => {
    const pod = annotated(readiness('port: 80'), { 'countersign.dev/application-address': '127.0.0.1' })
    assert.deepEqual(attributesOf(injected(pod)), {
      'countersign.dev/application-address': '127.0.0.1',
      'countersign.dev/probes': '{"web":{"readiness":{"port":80,"path":"/"}}}'
    })
  })

  const FIELD = 'spec.containers["web"].readinessProbe.httpGet'
  const RESERVED = 'expected any port but 15001, 15006, 15020, 15021, 15090; the proxy uses it'
  const NAMES = 'expected a number, or the name of a port of the container'
  const headers = (count: number): string =>
    Array.from({ length: count }, (_, n) => `{ name: h${n}, value: "${'x'.repeat(3000)}" }`).join()
  const refusals: Readonly<Record<string, readonly [Pod, string | RegExp]>> = {
    'a port that has no such name': [
      readiness('port: web', ', ports: [{ name: http, containerPort: 80 }, { containerPort: 81 }]'),
      `${FIELD}.port "web": ${NAMES}: http`
    ],
    'a port of another container': [
      web('readinessProbe: { httpGet: { port: http } } }, { name: b, ports: [{ name: http, containerPort: 80 }]'),
      `${FIELD}.port "http": ${NAMES}, which has none`
    ],
    'a port that does not exist': [readiness('port: 65536'), `${FIELD}.port: expected a port from 1 to 65535`],
    'the port of probes itself': [readiness('port: 15020'), `${FIELD}.port 15020: ${RESERVED} (probes)`],
    'what an injected pod would have, without the rest of it': [
      readiness('port: 15020, path: /app-health/web/readiness'),
      `${FIELD}.port 15020: ${RESERVED} (probes)`
    ],
    'a port of the proxy by its name': [readiness('port: 15021'), `${FIELD}.port 15021: ${RESERVED} (readiness)`],
    'a header of two lines': [
      readiness('port: 80, httpHeaders: [{ name: a, value: "s3cret\\nb" }]'),
      `${FIELD}.headers.0.1: expected a value without control characters`
    ],
    'a host of two lines': [
      readiness('port: 80, host: "a\\nb"'),
      `${FIELD}.host: expected a host, printable and without spaces`
    ],
    'more than a volume can carry': [
      readiness(`port: 80, httpHeaders: [${headers(6)}]`),
      /^volume attribute countersign\.dev\/probes: what the probes say makes 18\d{3} characters, expected at most 16384$/
    ]
  }
  for (const [what, [pod, message]] of Object.entries(refusals))
    it(`is refused for ${what}`, () => {
      const result = inject(pod)
      assert.ok(result.kind === 'refuse', JSON.stringify(result))
      if (typeof message === 'string') assert.equal(result.message, message)
      else assert.match(result.message, message)
    })
})

describe('a probe of kind tcpSocket or grpc', () => {
  for (const [field, kind] of [
    ['startupProbe', 'startup'],
    ['readinessProbe', 'readiness'],
    ['livenessProbe', 'liveness']
  ] as const) {
    const httpGet = { path: `/app-health/web/${kind}`, port: 15_020, scheme: 'HTTP' }

    it(`becomes an httpGet of the proxy as ${field}, tcpSocket`, () => {
      const after = injected(web(`${field}: { tcpSocket: { port: 5432 }, timeoutSeconds: 3 }`))
      assert.deepEqual(after.spec?.containers[0]?.[field], { httpGet, timeoutSeconds: 3 })
      assert.deepEqual(probesOf(after), [{ container: 'web', kind, protocol: 'tcp', port: 5432 }])
    })

    it(`becomes an httpGet of the proxy as ${field}, grpc`, () => {
      const after = injected(web(`${field}: { grpc: { port: 9000, service: live }, timeoutSeconds: 3 }`))
      assert.deepEqual(after.spec?.containers[0]?.[field], { httpGet, timeoutSeconds: 3 })
      assert.deepEqual(probesOf(after), [{ container: 'web', kind, protocol: 'grpc', port: 9000, service: 'live' }])
    })
  }

  const asked: Readonly<Record<string, readonly [string, object]>> = {
    'a port by name': [
      'readinessProbe: { tcpSocket: { port: db } }, ports: [{ name: db, containerPort: 5432 }]',
      { protocol: 'tcp', port: 5432 }
    ],
    'an empty host, which is none': ['readinessProbe: { tcpSocket: { port: 1, host: "" } }', { port: 1 }],
    'HTTP/1.1 said aloud': ['readinessProbe: { httpGet: { port: 1, protocol: HTTP1 } }', { protocol: 'http', port: 1 }],
    'plaintext said aloud': ['readinessProbe: { grpc: { port: 1, mode: Plaintext } }', { protocol: 'grpc', port: 1 }],
    'no service, which is the whole server': ['readinessProbe: { grpc: { port: 1 } }', { service: '' }],
    'no service, as the API server fills it in': ['readinessProbe: { grpc: { port: 1, service: "" } }', { service: '' }]
  }
  for (const [what, [fields, expected]] of Object.entries(asked))
    it(`is remembered with ${what}`, () => assert.partialDeepStrictEqual(probesOf(injected(web(fields)))[0], expected))

  it('is led to the proxy in sidecars of the user', () => {
    const pod: Pod = parse(`{ spec: {
      initContainers: [{ name: side, restartPolicy: Always, startupProbe: { tcpSocket: { port: 1 } } }],
      containers: [{ name: a, livenessProbe: { grpc: { port: 2 } } }] } }`)
    const result = inject(pod)
    assert.ok(result.kind === 'patch')
    assert.deepEqual(
      result.patch.slice(0, 4).map(({ op, path }) => `${op} ${path}`),
      [
        'remove /spec/initContainers/0/startupProbe/tcpSocket',
        'add /spec/initContainers/0/startupProbe/httpGet',
        'remove /spec/containers/0/livenessProbe/grpc',
        'add /spec/containers/0/livenessProbe/httpGet'
      ]
    )
  })

  const refusals: Readonly<Record<string, readonly [string, string]>> = {
    'a port that has no such name': [
      'readinessProbe: { tcpSocket: { port: db } }',
      'readinessProbe.tcpSocket.port "db": expected a number, or the name of a port of the container, which has none'
    ],
    'a port of the proxy, which would find itself': [
      'livenessProbe: { tcpSocket: { port: 15006 } }',
      'livenessProbe.tcpSocket.port 15006: expected any port but 15001, 15006, 15020, 15021, 15090; the proxy uses it (inbound)'
    ],
    'a port that does not exist': [
      'startupProbe: { grpc: { port: 0 } }',
      'startupProbe.grpc.port: expected a port from 1 to 65535'
    ],
    'a service without end': [
      `startupProbe: { grpc: { port: 1, service: "${'x'.repeat(4_097)}" } }`,
      'startupProbe.grpc.service: expected at most 4096 characters'
    ]
  }
  for (const [what, [fields, message]] of Object.entries(refusals))
    it(`is refused for ${what}`, () => {
      const result = inject(web(fields))
      assert.equal(result.kind === 'refuse' && result.message, `spec.containers["web"].${message}`)
    })
})

describe('a lifecycle hook of kind httpGet', () => {
  for (const kind of ['postStart', 'preStop'] as const)
    it(`is led to the proxy as ${kind}, and what its author wrote is remembered`, () => {
      const other = kind === 'preStop' ? 'postStart' : 'preStop'
      const headers = 'httpHeaders: [{ name: X-Hook, value: "1" }, { name: Host, value: web.example }]'
      const after = injected(
        web(`lifecycle: { ${kind}: { httpGet: { port: http, path: "/drain?now", scheme: HTTPS, ${headers} } },
          ${other}: { exec: { command: [x] } } }, ports: [{ name: http, containerPort: 8080 }]`)
      )
      assert.deepEqual(after.spec?.containers[0]?.lifecycle, {
        [kind]: { httpGet: { path: `/app-health/web/${kind}`, port: 15_020, scheme: 'HTTP' } },
        [other]: { exec: { command: ['x'] } }
      })
      assert.deepEqual(probesOf(after), [
        {
          container: 'web',
          kind,
          protocol: 'http',
          port: 8080,
          path: '/drain?now',
          scheme: 'HTTPS',
          host: 'web.example',
          headers: [['X-Hook', '1']]
        }
      ])
    })

  it('is led to the proxy in sidecars of the user', () => {
    const pod: Pod = parse(`{ spec: { containers: [{ name: a }], initContainers: [
      { name: side, restartPolicy: Always, lifecycle: { preStop: { httpGet: { port: 1 } } } }] } }`)
    assert.deepEqual(
      probesOf(injected(pod)).map(({ container, kind }) => `${container} ${kind}`),
      ['side preStop']
    )
  })

  it('is refused for a port of the proxy, by its place', () => {
    const result = inject(web('lifecycle: { postStart: { httpGet: { port: 15020 } } }'))
    assert.match(
      result.kind === 'refuse' ? result.message : '',
      /^spec\.containers\["web"\]\.lifecycle\.postStart\.httpGet\.port 15020: expected any port but/
    )
  })
})

describe('what is left as it is', () => {
  const probes: Readonly<Record<string, Pod>> = {
    'probes that run a program': web('startupProbe: { exec: { command: [x] } }, livenessProbe: { exec: {} }'),
    'hooks that run a program or sleep': web(
      'lifecycle: { postStart: { exec: { command: [x] } }, preStop: { sleep: { seconds: 1 } } }'
    ),
    'hooks of kind tcpSocket, which the kubelet refuses': web('lifecycle: { preStop: { tcpSocket: { port: 1 } } }'),
    'a tcpSocket probe of another host': web('livenessProbe: { tcpSocket: { port: 1, host: 10.0.0.9 } }'),
    'a hook that tells another host': web('lifecycle: { preStop: { httpGet: { port: 1, host: registry.example } } }'),
    'a gRPC probe over TLS': web('livenessProbe: { grpc: { port: 1, mode: TLS } }'),
    'an httpGet probe over HTTP/2': web('livenessProbe: { httpGet: { port: 1, protocol: HTTP2 } }'),
    'absent probes': web('livenessProbe: null, readinessProbe: { httpGet: null, tcpSocket: null, grpc: null }'),
    'absent hooks': web('lifecycle: { postStart: null, preStop: { httpGet: null } }'),
    'no lifecycle': web('lifecycle: null'),
    'every probe and hook, by annotation': annotated(
      web(`readinessProbe: { httpGet: { port: nowhere } }, livenessProbe: { tcpSocket: { port: 15020 } },
        startupProbe: { grpc: { port: 0 } }, lifecycle: { preStop: { httpGet: { port: nowhere } } }`),
      { 'countersign.dev/rewrite-probes': 'disabled' }
    )
  }
  for (const [what, pod] of Object.entries(probes))
    it(what, () => {
      const after = injected(pod)
      assert.deepEqual(after.spec?.containers, pod.spec?.containers)
      assert.deepEqual(attributesOf(after), {})
    })
})

describe('a pod that was injected before', () => {
  const pod = (): Pod => injected(readiness('port: 80, path: /ready'))

  it('is left alone', () => {
    const result = inject(pod())
    assert.equal(result.kind === 'skip' && result.reason, 'already-injected', JSON.stringify(result))
  })

  it('is left alone with probes and hooks of every kind', () => {
    const once = injected(
      web(`readinessProbe: { tcpSocket: { port: 1 } }, livenessProbe: { grpc: { port: 2, service: x } },
        startupProbe: { httpGet: { port: 3 } },
        lifecycle: { postStart: { httpGet: { port: 4 } }, preStop: { httpGet: { port: 5 } } }`)
    )
    assert.equal(probesOf(once).length, 5)
    const result = inject(once)
    assert.equal(result.kind === 'skip' && result.reason, 'already-injected', JSON.stringify(result))
  })

  it('is left alone when its probes are no longer to be rewritten: they are, and work', () => {
    const result = inject(annotated(pod(), { 'countersign.dev/rewrite-probes': 'disabled' }))
    assert.equal(result.kind, 'skip')
  })

  it('gets the probes of a container that another webhook has added since, and keeps what it knew', () => {
    const more = pod()
    more.spec?.containers.unshift({ name: 'late', livenessProbe: { httpGet: { port: 81, path: '/late' } } })
    const result = inject(more)
    assert.ok(result.kind === 'patch', JSON.stringify(result))
    assert.deepEqual(
      result.patch.map(({ op, path }) => `${op} ${path}`),
      ['replace /spec/containers/0/livenessProbe/httpGet', 'add /spec/volumes/0/csi/volumeAttributes']
    )
    const after = injected(more)
    assert.deepEqual(
      probesOf(after).map(probe => `${probe.container} ${probe.protocol === 'http' && probe.path}`),
      ['web /ready', 'late /late']
    )
    assert.equal(inject(after).kind, 'skip')
  })

  it('is refused when it says nothing of a probe that goes to the proxy', () => {
    const forgotten = pod()
    const volume = forgotten.spec?.volumes?.[0]?.csi
    if (volume) delete volume.volumeAttributes
    const result = inject(forgotten)
    assert.match(
      result.kind === 'refuse' ? result.message : '',
      /readinessProbe\.httpGet\.port 15020: expected any port/
    )
  })

  it('is refused when what it says cannot be read', () => {
    const broken = pod()
    const volume = broken.spec?.volumes?.[0]?.csi
    if (volume) volume.volumeAttributes = { 'countersign.dev/probes': '{"web":' }
    const result = inject(broken)
    assert.equal(
      result.kind === 'refuse' ? result.message : '',
      'volume attribute countersign.dev/probes: expected JSON'
    )
  })
})
