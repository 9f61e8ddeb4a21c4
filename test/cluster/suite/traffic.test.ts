// Capture and delivery as applications meet them: wherever they listen, whomever they call, they need not know.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { forwardedIdentities, until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopCluster } from '../index.ts'
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
            securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } },
            containers: [
              {
                name,
                image: 'countersign.dev/examples/echo:1',
                env: host === undefined ? [] : [host],
                securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
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
  after(async () => {
    await stopCluster(readSettings())
  })

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

  it('reaches a pod of the mesh by its address, too, with whatever identity answers there', async () => {
    const narrow = await addressOf('shop', 'narrow')
    const got = await callFrom(cluster, 'shop', 'caller', `http://${narrow}:8080/`)
    assert.ok(typeof got !== 'string' && got.status === 200, JSON.stringify(got))
  })
})
