// How browsers come in: an ingress controller that is of the mesh, calls the addresses of pods, and has a public port.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { forwardedIdentities, until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopCluster } from '../index.ts'
import { NGINX_IMAGE, nginxImages } from './nginx-image.ts'
import { CONTAINER_SECURITY, POD_SECURITY } from './pods.ts'
import { applyExample, callFrom, podsOf, readyPod } from './shop.ts'

const PUBLIC_PORT = 8081

// As ingress controllers do: the pods behind a Service, found by the names of a headless one, one connection each.
const CONFIGURATION = `
daemon off;
pid /tmp/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  upstream orders { server orders-pods.shop:8080; }
  server {
    listen ${PUBLIC_PORT};
    location / { proxy_pass http://orders; }
  }
}
`

describe('an ingress controller of the mesh', { timeout: 600_000 }, () => {
  let cluster: Cluster
  let ingress: string

  before(async () => {
    const images = await nginxImages(CONFIGURATION)
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await Promise.all([installChart(cluster), ...cluster.nodes.map(node => node.load(images))])
    await applyExample(cluster, 'shop/00-namespace.yaml')
    await applyExample(cluster, 'shop/orders.yaml')
    await applyExample(cluster, 'policies/peer-authentication-strict.yaml')
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'orders-pods', namespace: 'shop' },
      spec: { clusterIP: 'None', selector: { app: 'orders' }, ports: [{ name: 'http', port: 8080 }] }
    })
    await readyPod(cluster, 'shop', 'orders')
    const labels = { app: 'ingress' }
    await cluster.apply(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ingress', namespace: 'shop' } },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'ingress', namespace: 'shop' },
        spec: {
          selector: { matchLabels: labels },
          template: {
            metadata: { labels, annotations: { 'countersign.dev/exclude-inbound-ports': String(PUBLIC_PORT) } },
            spec: {
              serviceAccountName: 'ingress',
              automountServiceAccountToken: false,
              securityContext: POD_SECURITY,
              containers: [
                {
                  name: 'ingress',
                  image: NGINX_IMAGE,
                  securityContext: CONTAINER_SECURITY
                }
              ]
            }
          }
        }
      }
    )
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'plain' } })
    await applyExample(cluster, 'shop/guest.yaml', yaml => yaml.replaceAll('namespace: shop', 'namespace: plain'))
    await readyPod(cluster, 'plain', 'guest')
    await readyPod(cluster, 'shop', 'ingress')
    ingress = (await podsOf(cluster, 'shop', 'ingress'))[0]?.status.podIP ?? ''
  })
  after(async () => {
    await stopCluster(readSettings())
  })

  it('lets browsers in at its public port, and calls the pods of STRICT Services over mutual TLS', async () => {
    const seen = await until('the page', async () => {
      const got = await callFrom(cluster, 'plain', 'guest', `http://${ingress}:${PUBLIC_PORT}/`)
      return typeof got !== 'string' && got.status === 200 ? got : undefined
    })
    assert.deepEqual(forwardedIdentities(seen.clientCertificate), {
      client: 'spiffe://cluster.local/ns/shop/sa/ingress',
      server: 'spiffe://cluster.local/ns/shop/sa/orders'
    })
  })

  it('is the only way in: the pods themselves refuse a browser', async () => {
    const orders = (await podsOf(cluster, 'shop', 'orders'))[0]?.status.podIP ?? ''
    assert.match(
      String(await callFrom(cluster, 'plain', 'guest', `http://${orders}:8080/`)),
      /ECONNRESET|UND_ERR_SOCKET/
    )
  })
})
