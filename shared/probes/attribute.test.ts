import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Probe, probePath, probeProblems, readProbes, writeProbes } from './index.ts'

const PROBE: Probe = {
  container: 'api',
  kind: 'readiness',
  protocol: 'http',
  port: 8080,
  path: '/healthz?deep=1',
  scheme: 'HTTPS',
  host: 'api.example',
  headers: [
    ['X-Probe', '100% ü'],
    ['X-Probe', '']
  ]
}
const SIMPLE: Probe = {
  container: 'api',
  kind: 'liveness',
  protocol: 'http',
  port: 80,
  path: '/',
  scheme: 'HTTP',
  headers: []
}
const OTHERS: readonly Probe[] = [
  { ...SIMPLE, kind: 'postStart' },
  { ...PROBE, kind: 'preStop' },
  { container: 'db', kind: 'readiness', protocol: 'tcp', port: 5432 },
  { container: 'rpc', kind: 'startup', protocol: 'grpc', port: 9000, service: '' },
  { container: 'rpc', kind: 'liveness', protocol: 'grpc', port: 9000, service: 'Käse 1\n' }
]

describe('the attribute of probes', () => {
  it('comes back as it was written', () => {
    assert.deepEqual(readProbes(writeProbes([PROBE, SIMPLE])), { probes: [PROBE, SIMPLE] })
    assert.deepEqual(readProbes(writeProbes(OTHERS)), { probes: OTHERS })
    assert.deepEqual(readProbes('{}'), { probes: [] })
  })

  it('is compact: what is as usual is left out', () => {
    assert.equal(writeProbes([SIMPLE]), '{"api":{"liveness":{"port":80,"path":"/"}}}')
    assert.equal(
      writeProbes(OTHERS.slice(2, 4)),
      '{"db":{"readiness":{"port":5432,"protocol":"tcp"}},"rpc":{"startup":{"port":9000,"protocol":"grpc"}}}'
    )
  })

  it('finds no fault with what can be written', () => {
    for (const probe of [PROBE, SIMPLE, ...OTHERS]) assert.deepEqual(probeProblems(probe), [])
  })

  it('gives each probe a path of its own', () => {
    assert.equal(probePath('api', 'startup'), '/app-health/api/startup')
  })

  const one = (fields: object): string => JSON.stringify({ api: { readiness: { port: 80, path: '/', ...fields } } })
  const PORT = 'api.readiness.port: expected a port from 1 to 65535'
  const PATH = 'api.readiness.path: expected a path that starts with a slash, percent-encoded, without a fragment'
  const refusals: Readonly<Record<string, readonly [string, string]>> = {
    'text that is no JSON': ['s3cret', 'expected JSON'],
    'a list': ['[]', 'expected an object of containers'],
    null: ['null', 'expected an object of containers'],
    'a container that could be a path': ['{"../x":{}}', '../x: expected names of containers'],
    'a prototype for a container': [
      '{"__proto__":{},"constructor":7}',
      'constructor: invalid input: expected object, received number'
    ],
    'a kind that does not exist': ['{"api":{"preStart":{}}}', 'api: expected no other fields'],
    'a field that is not known, such as an address': [
      one({ address: '10.0.0.9' }),
      'api.readiness: expected no other fields'
    ],
    'a protocol that does not exist': [
      one({ protocol: 'udp' }),
      'api.readiness.protocol: expected a probe of protocol http, tcp or grpc'
    ],
    'a protocol of a later version, whatever else it says': [
      '{"api":{"liveness":{"protocol":"quic","port":1,"secret":"s3cret"}}}',
      'api.liveness.protocol: expected a probe of protocol http, tcp or grpc'
    ],
    'a probe that is no object': [
      '{"api":{"liveness":[]}}',
      'api.liveness: expected a probe of protocol http, tcp or grpc'
    ],
    'a tcp probe with a path': [one({ protocol: 'tcp' }), 'api.readiness: expected no other fields'],
    'a tcp probe of no port': [
      '{"api":{"liveness":{"protocol":"tcp"}}}',
      'api.liveness.port: expected a port from 1 to 65535'
    ],
    'a grpc probe of half a character': [
      '{"api":{"liveness":{"protocol":"grpc","port":1,"service":"\\ud800"}}}',
      'api.liveness.service: expected the name of a service, or nothing'
    ],
    'a grpc probe of a number': [
      '{"api":{"liveness":{"protocol":"grpc","port":1,"service":7}}}',
      'api.liveness.service: expected the name of a service, or nothing'
    ],
    'a hook that only connects': [
      '{"api":{"preStop":{"protocol":"tcp","port":1}}}',
      'api.preStop.protocol: expected a hook of protocol http'
    ],
    'a hook of half a port': [
      '{"api":{"postStart":{"port":0.5,"path":"/"}}}',
      'api.postStart.port: expected a port from 1 to 65535'
    ],
    'no port': ['{"api":{"readiness":{"path":"/"}}}', PORT],
    'port 0': [one({ port: 0 }), PORT],
    'port 65536': [one({ port: 65_536 }), PORT],
    'half a port': [one({ port: 80.5 }), PORT],
    'a port by name': [one({ port: 'http' }), PORT],
    'a path without a slash': [one({ path: 'healthz' }), PATH],
    'a path with a space': [one({ path: '/s3cret x' }), PATH],
    'a path with a new line': [one({ path: '/\r\nhost: x' }), PATH],
    'a path with a fragment': [one({ path: '/#x' }), PATH],
    'a path without end': [
      one({ path: `/${'x'.repeat(4_096)}` }),
      'api.readiness.path: expected at most 4096 characters'
    ],
    'another scheme': [one({ scheme: 'FTP' }), 'api.readiness.scheme: expected HTTP or HTTPS'],
    'an empty host': [one({ host: '' }), 'api.readiness.host: expected a host, printable and without spaces'],
    'a host with a new line': [
      one({ host: 'a\nb' }),
      'api.readiness.host: expected a host, printable and without spaces'
    ],
    'a header with a colon': [
      one({ headers: [[':path', '/admin']] }),
      'api.readiness.headers.0.0: expected a name of letters, digits and dashes'
    ],
    'a header that frames the message': [
      one({ headers: [['Transfer-Encoding', 'chunked']] }),
      'api.readiness.headers.0.0: expected any header but host, content-length, transfer-encoding and trailer'
    ],
    'a value with a new line': [
      one({ headers: [['x', 's3cret\r\ny: z']] }),
      'api.readiness.headers.0.1: expected a value without control characters'
    ],
    'half a surrogate pair': [
      one({ headers: [['x', '\ud800']] }),
      'api.readiness.headers.0.1: expected a value without control characters'
    ],
    'headers without end': [
      one({ headers: Array.from({ length: 101 }, () => ['x', 'y']) }),
      'api.readiness.headers: expected at most 100 headers'
    ]
  }
  for (const [what, [value, problem]] of Object.entries(refusals))
    it(`is refused for ${what}, naming the field and no value`, () => assert.deepEqual(readProbes(value), { problem }))

  it('names the field of a single probe', () => {
    assert.deepEqual(probeProblems({ ...SIMPLE, path: 'x', port: 0 }), [
      'port: expected a port from 1 to 65535',
      'path: expected a path that starts with a slash, percent-encoded, without a fragment'
    ])
  })
})
