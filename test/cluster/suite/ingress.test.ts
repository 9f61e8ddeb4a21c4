// How browsers come in: an ingress controller that is of the mesh, calls the addresses of pods, and has a public port.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { forwardedIdentities, until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { ingressController, ingressImages, ORDERS_PODS, PUBLIC_PORT } from './ingress-controller.ts'
import { applyExample, callFrom, podsOf, readyPod } from './shop.ts'

describe('an ingress controller of the mesh', { timeout: 600_000 }, () => {
  let cluster: Cluster
  let ingress: string

  before(async () => {
    const images = await ingressImages()
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await Promise.all([installChart(cluster), ...cluster.nodes.map(node => node.load(images))])
    await applyExample(cluster, 'shop/00-namespace.yaml')
    await applyExample(cluster, 'shop/orders.yaml')
    await applyExample(cluster, 'policies/peer-authentication-strict.yaml')
    await cluster.apply(ORDERS_PODS)
    await readyPod(cluster, 'shop', 'orders')
    await cluster.apply(...ingressController())
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'plain' } })
    await applyExample(cluster, 'shop/guest.yaml', yaml => yaml.replaceAll('namespace: shop', 'namespace: plain'))
    await readyPod(cluster, 'plain', 'guest')
    await readyPod(cluster, 'shop', 'ingress')
    ingress = (await podsOf(cluster, 'shop', 'ingress'))[0]?.status.podIP ?? ''
  })
  after(stopOwnCluster)

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
