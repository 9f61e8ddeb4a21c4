// Capture and delivery as applications meet them: wherever they listen, whomever they call, they need not know.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { forwardedIdentities, until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { CONTAINER_SECURITY, POD_SECURITY, podOf, statusOf } from './pods.ts'
import { applyExample, callFrom, podsOf, readyPod, type Seen } from './shop.ts'

interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: object
}

const POD_ADDRESS: EnvVar = { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }
const LOCALHOST: EnvVar = { name: 'HOST', value: '127.0.0.1' }

/** A Service and its one pod, under an account of the same name; the application listens where `host` says. */
function application(namespace: string, name: string, host?: EnvVar): object[] {
  const metadata = { name, namespace }
  const labels = { app: name }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 8080 }] }
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: name,
            automountServiceAccountToken: false,
            securityContext: POD_SECURITY,
            containers: [
              {
                name,
                image: 'countersign.dev/examples/echo:1',
                env: host === undefined ? [] : [host],
                securityContext: CONTAINER_SECURITY
              }
            ]
          }
        }
      }
    }
  ]
}

describe('the traffic of an injected pod', { timeout: 900_000 }, () => {
  let cluster: Cluster

  before(async () => {
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await installChart(cluster)
    await applyExample(cluster, 'shop/00-namespace.yaml')
    await cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'plain' } },
      ...application('shop', 'caller'),
      ...application('shop', 'narrow', POD_ADDRESS),
      ...application('shop', 'local', LOCALHOST),
      ...application('plain', 'outsider')
    )
    for (const name of ['caller', 'narrow', 'local']) await readyPod(cluster, 'shop', name)
    await readyPod(cluster, 'plain', 'outsider')
  })
  after(stopOwnCluster)

  const addressOf = async (namespace: string, app: string): Promise<string> =>
    (await podsOf(cluster, namespace, app))[0]?.status.podIP ?? ''
  const callOnceThere = (app: string, url: string): Promise<Seen> =>
    until(`${url} to be known to ${app}`, async () => {
      const got = await callFrom(cluster, 'shop', app, url)
      return typeof got !== 'string' && got.status === 200 ? got : undefined
    })
  const caller = 'spiffe://cluster.local/ns/shop/sa/caller'

  it('reaches its own pod through a Service over mutual TLS, as it reaches any other', async () => {
    const seen = await callOnceThere('caller', 'http://caller.shop/')
    assert.deepEqual(forwardedIdentities(seen.clientCertificate), { client: caller, server: caller })
  })

  it('is delivered to an application that listens on the address of its pod alone', async () => {
    const seen = await callOnceThere('caller', 'http://narrow.shop/')
    assert.equal(forwardedIdentities(seen.clientCertificate)?.client, caller)
  })

  it('is not delivered to an application that listens on localhost alone', async () => {
    const got = await callFrom(cluster, 'shop', 'caller', 'http://local.shop/')
    assert.deepEqual(got, { status: 503, clientCertificate: null })
    // It is there, for its own pod.
    const inside = await callFrom(cluster, 'shop', 'local', 'http://127.0.0.1:8080/')
    assert.deepEqual(inside, { status: 200, clientCertificate: null })
  })

  for (const port of [15001, 15006])
    it(`ends in nothing when it is sent to the proxy’s own port ${port}`, async () => {
      const address = await addressOf('shop', 'caller')
      const got = await callFrom(cluster, 'plain', 'outsider', `http://${address}:${port}/`)
      assert.equal(typeof got, 'string', `it was answered: ${JSON.stringify(got)}`)
      // Nor did the proxy call itself until nothing was left.
      assert.equal(typeof (await callOnceThere('caller', 'http://narrow.shop/')), 'object')
    })

  it('passes untouched to whatever is not of the mesh: by Service, by address, and over TLS of its own', async () => {
    const outsider = await addressOf('plain', 'outsider')
    for (const url of ['http://outsider.plain/', `http://${outsider}:8080/`])
      assert.deepEqual(await callFrom(cluster, 'shop', 'caller', url), { status: 200, clientCertificate: null }, url)
    // The API server's certificate is not of the mesh, and nobody put another one in its place.
    const overTls = await callFrom(cluster, 'shop', 'caller', 'https://kubernetes.default.svc/version')
    assert.match(String(overTls), /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN/)
  })

  describe('under STRICT', () => {
    const strict = (app: string): object => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: app, namespace: 'shop' },
      spec: { selector: { matchLabels: { app } }, mtls: { mode: 'STRICT' } }
    })
    /** A pod of which nothing but its probes or hooks differs. */
    const probed = async (app: string, fields: object): Promise<void> => {
      const pod = podOf(app, 'node0')
      const [container] = pod.spec?.containers ?? []
      const metadata = { ...pod.metadata, labels: { app } }
      const containers = [{ ...container, ...fields }]
      await cluster.apply(strict(app), { ...pod, metadata, spec: { ...pod.spec, containers } })
    }
    const eventsOf = (pod: string): Promise<string> =>
      cluster.kubectl(['get', 'events', '-n', 'shop', '--field-selector', `involvedObject.name=${pod}`])
    const SECOND = { periodSeconds: 1, timeoutSeconds: 1 }
    // grpc.health.v1: one message without compression, status SERVING.
    const HEALTHY = `require('node:http2').createServer().on('stream', stream => {
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]))
    }).listen(8080)`
    const sound: Readonly<Record<string, object>> = {
      'probe-tcp': { readinessProbe: { tcpSocket: { port: 8080 }, ...SECOND } },
      'probe-grpc': {
        command: ['node', '-e', HEALTHY],
        startupProbe: { grpc: { port: 8080 }, ...SECOND },
        readinessProbe: { grpc: { port: 8080 }, ...SECOND }
      },
      'probe-exec': { readinessProbe: { exec: { command: ['node', '-e', ''] }, periodSeconds: 1, timeoutSeconds: 5 } },
      'hook-http': { lifecycle: { preStop: { httpGet: { path: '/bye', port: 8080 } } } }
    }
    for (const [app, fields] of Object.entries(sound))
      it(`a pod whose application is sound becomes Ready: ${app}`, async () => {
        await probed(app, fields)
        await cluster.kubectl(['wait', '-n', 'shop', `pod/${app}`, '--for=condition=Ready', '--timeout=60s'])
        await cluster.kubectl(['delete', 'pod', '-n', 'shop', app, '--wait=true'])
        assert.doesNotMatch(await eventsOf(app), /FailedPreStopHook/)
      })

    const unsound: Readonly<Record<string, readonly [fields: object, event: RegExp]>> = {
      'dead-tcp': [{ readinessProbe: { tcpSocket: { port: 9 }, ...SECOND } }, /Readiness probe failed/],
      'dead-grpc': [{ readinessProbe: { grpc: { port: 9 }, ...SECOND } }, /Readiness probe failed/],
      'dead-hook': [{ lifecycle: { postStart: { httpGet: { path: '/', port: 9 } } } }, /FailedPostStartHook/]
    }
    for (const [app, [fields, event]] of Object.entries(unsound))
      it(`a pod whose application is not sound is told so: ${app}`, async () => {
        await probed(app, fields)
        await until(`${event}`, async () => event.test(await eventsOf(app)) || undefined, { timeoutMs: 60_000 })
        const { conditions } = await statusOf(cluster, app)
        assert.equal(conditions?.find(({ type }) => type === 'Ready')?.status, 'False')
        await cluster.kubectl(['delete', 'pod', '-n', 'shop', app, '--wait=true'])
      })
  })

  it('reaches a pod of the mesh by its address, too, with whatever identity answers there', async () => {
    const narrow = await addressOf('shop', 'narrow')
    const got = await callFrom(cluster, 'shop', 'caller', `http://${narrow}:8080/`)
    assert.ok(typeof got !== 'string' && got.status === 200, JSON.stringify(got))
  })
})
