import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@bufbuild/protobuf'
import type { HttpProbe, Probe } from '../../shared/probes/index.ts'
import type { Resource } from '../../shared/xds/index.ts'
import { resourceJson } from '../../test/envoy/index.ts'
import { newWorkload } from './fixtures.test-support.ts'
import { explicitProbeResources, redirectProbeResources } from './probe-listener.ts'

const probe = (change: Partial<HttpProbe> = {}): Probe => ({
  container: 'orders',
  kind: 'readiness',
  protocol: 'http',
  port: 8080,
  path: '/ready',
  scheme: 'HTTP',
  headers: [],
  ...change
})
const json = ([resource]: readonly Resource[]): JsonObject => resourceJson(resource ?? assert.fail('no resource'))
const addressesIn = (value: JsonObject): string[] =>
  [...JSON.stringify(value).matchAll(/"address":"([^"]+)"/g)].map(([, address = '']) => address)

describe('the probes of a redirected pod', () => {
  const families: Readonly<Record<string, readonly [string[], string, string[]]>> = {
    IPv4: [['10.1.0.7'], '192.0.2.6', ['0.0.0.0']],
    IPv6: [['fd00:1::7'], '2001:db8::6', ['::']],
    'both families, the first of which the kubelet asks': [['fd00:1::7', '10.1.0.7'], '2001:db8::6', ['0.0.0.0', '::']]
  }
  for (const [what, [addresses, source, wildcards]] of Object.entries(families))
    it(`come from the address of deliveries, with ${what}`, () => {
      const { clusters, listeners } = redirectProbeResources(newWorkload({ addresses }), [probe()])
      const cluster = json(clusters)
      assert.deepEqual(cluster['upstreamBindConfig'], {
        sourceAddress: { address: source, portValue: 0 },
        freebind: true
      })
      assert.deepEqual(addressesIn(cluster).sort(), [source, addresses[0]].sort())
      assert.deepEqual(addressesIn(json(listeners)), wildcards)
    })

  it('have the Host that a kubelet would send', () => {
    const host = (address: string): unknown =>
      JSON.stringify(json(redirectProbeResources(newWorkload({ addresses: [address] }), [probe()]).listeners)).match(
        /"hostRewriteLiteral":"([^"]+)"/
      )?.[1]
    assert.equal(host('10.1.0.7'), '10.1.0.7:8080')
    assert.equal(host('fd00:1::7'), '[fd00:1::7]:8080')
  })
})

describe('the probes of an explicit pod', () => {
  it('lead to the application beside the proxy, from anywhere', () => {
    const { clusters, listeners } = explicitProbeResources(newWorkload({}), [probe()], '127.83.1.1')
    const cluster = json(clusters)
    assert.equal(cluster['upstreamBindConfig'], undefined)
    assert.deepEqual(addressesIn(cluster), ['127.83.1.1'])
    assert.deepEqual(addressesIn(json(listeners)), ['10.1.0.7'])
  })
})

describe('the port of probes', () => {
  it('is not open where there are none, or none that the proxy could ask', () => {
    for (const probes of [[], [15_001, 15_006, 15_020, 15_021, 15_090].map(port => probe({ port }))])
      assert.deepEqual(redirectProbeResources(newWorkload({}), probes), { clusters: [], listeners: [] })
  })

  it('asks a port that several probes share by one cluster, with TLS and without apart', () => {
    const { clusters } = redirectProbeResources(newWorkload({}), [
      probe(),
      probe({ kind: 'liveness', path: '/live' }),
      probe({ kind: 'startup', scheme: 'HTTPS' })
    ])
    assert.deepEqual(
      clusters.map(({ name }) => name),
      ['probe/http/8080', 'probe/https/8080']
    )
  })

  const tcp: Probe = { container: 'db', kind: 'readiness', protocol: 'tcp', port: 8080 }
  const grpc: Probe = { container: 'rpc', kind: 'liveness', protocol: 'grpc', port: 8080, service: 'x' }

  it('asks each kind of probe in its own way, of one port as well', () => {
    const { clusters } = redirectProbeResources(newWorkload({}), [probe(), tcp, { ...tcp, kind: 'startup' }, grpc])
    assert.deepEqual(
      clusters.map(({ name }) => name),
      ['probe/http/8080', 'probe/tcp/8080', 'probe/grpc/8080']
    )
    for (const cluster of clusters)
      assert.deepEqual(json([cluster])['upstreamBindConfig'], {
        sourceAddress: { address: '192.0.2.6', portValue: 0 },
        freebind: true
      })
  })

  it('runs scripts only for the probes that need one', () => {
    const scripts = (probes: readonly Probe[]): readonly number[] => {
      const { clusters, listeners } = redirectProbeResources(newWorkload({}), probes)
      return [listeners, clusters].map(
        resources => JSON.stringify(resources.map(resourceJson)).split('lua.v3.Lua"').length - 1
      )
    }
    assert.deepEqual(scripts([probe(), probe({ kind: 'preStop' })]), [0, 0])
    assert.deepEqual(scripts([probe(), tcp]), [1, 1])
    assert.deepEqual(scripts([probe(), grpc]), [1, 0])
  })

  it('is the same objects for the same pod', () => {
    const [workload, probes] = [newWorkload({}), [probe()]]
    assert.equal(redirectProbeResources(workload, probes), redirectProbeResources(workload, probes))
    assert.equal(
      explicitProbeResources(workload, probes, '127.0.0.2'),
      explicitProbeResources(workload, probes, '127.0.0.2')
    )
    assert.notEqual(
      explicitProbeResources(workload, probes, '127.0.0.2'),
      explicitProbeResources(workload, probes, '127.0.0.3')
    )
  })
})
