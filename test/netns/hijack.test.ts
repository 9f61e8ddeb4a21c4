// What tenants and kubelets can write about the address of a pod, from the objects in the Kubernetes API to a real proxy
// that calls the address and a real proxy, strict, that answers there. Needs root.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import type { MeshState } from '../../agent/proxy/index.ts'
import { meshState } from '../../authority/naming/index.ts'
import { inventoryOf, type Manifest, pod, service, settings } from '../../authority/naming/mesh.test-support.ts'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import { MutualTlsMode, Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Issuer } from '../../shared/x509/index.ts'
import { type CapturedPod, startCapturedPod } from './direct-pod.ts'
import { eventually, INSIDE, link, Namespace, OUTSIDE, USER } from './pod.ts'
import { Program } from './program.ts'

const PORT = 9000
/** The pod takes plaintext there, and no Service names it: to its clients a place like any other. */
const OPEN_PORT = 9004

/** A pod with an address of each family. */
const dual = (manifest: Manifest): Manifest => ({
  ...manifest,
  status: { ...(manifest['status'] as object), podIPs: Object.values(OUTSIDE).map(ip => ({ ip })) }
})

const ports = [{ name: 'http', port: PORT, targetPort: PORT }]
const honest: readonly Manifest[] = [
  dual(pod({ name: 'orders-0', account: 'orders', address: OUTSIDE.ipv4 })),
  service({ clusterIPs: ['10.99.0.77', 'fd99::77'], clusterIP: '10.99.0.77', ports }),
  pod({ name: 'mallory', namespace: 'aaa', account: 'mallory', labels: {}, address: '10.99.0.200', node: 'node-2' })
]

interface SliceOptions {
  readonly of: string
  readonly address: string
  readonly port?: number
  readonly targetRef?: object
}

const slice = ({ of, address, port = PORT, targetRef }: SliceOptions): Manifest => ({
  kind: 'EndpointSlice',
  metadata: { name: `${of}-1`, namespace: 'aaa', labels: { 'kubernetes.io/service-name': of } },
  addressType: address.includes(':') ? 'IPv6' : 'IPv4',
  endpoints: [{ addresses: [address], ...(targetRef === undefined ? {} : { targetRef }) }],
  ports: [{ name: 'http', port }]
})
const evil = (name: string, pin?: string): Manifest =>
  service({
    ...{ name, namespace: 'aaa', clusterIP: 'None', selector: {}, ports: [{ name: 'http', port: PORT }] },
    ...(pin === undefined ? {} : { pin })
  })
const OWN_POD = { kind: 'Pod', name: 'mallory', uid: 'uid-mallory' }

const ATTACKS: Readonly<Record<string, readonly Manifest[]>> = {
  'names the address with its own pod': [evil('a'), slice({ of: 'a', address: OUTSIDE.ipv4, targetRef: OWN_POD })],
  'names the IPv6 address with its own pod': [
    evil('a'),
    slice({ of: 'a', address: 'FD99:0:0::1', targetRef: OWN_POD })
  ],
  'names the address without a pod': [evil('a'), slice({ of: 'a', address: OUTSIDE.ipv4 })],
  'names the address with the pod of the victim': [
    evil('a'),
    slice({
      of: 'a',
      address: OUTSIDE.ipv4,
      targetRef: { kind: 'Pod', namespace: 'shop', name: 'orders-0', uid: 'uid-orders-0' }
    })
  ],
  'names the address behind a Service pinned to nobody': [evil('a', ''), slice({ of: 'a', address: OUTSIDE.ipv4 })],
  'names the address behind a Service pinned to itself': [
    evil('a', 'mallory'),
    slice({ of: 'a', address: OUTSIDE.ipv4, targetRef: OWN_POD })
  ],
  'names another port of the address behind a Service pinned to nobody': [
    evil('a', ''),
    slice({ of: 'a', address: OUTSIDE.ipv4, port: OPEN_PORT })
  ],
  'names another port of the address with its own pod': [
    evil('a'),
    slice({ of: 'a', address: OUTSIDE.ipv4, port: OPEN_PORT, targetRef: OWN_POD })
  ],
  'reports the address as that of its own pod': [
    service({ name: 'a', namespace: 'aaa', clusterIP: 'None', selector: { app: 'm' }, ports }),
    pod({
      name: 'm',
      namespace: 'aaa',
      account: 'mallory',
      labels: { app: 'm' },
      address: OUTSIDE.ipv4,
      node: 'node-2'
    })
  ]
}

function meshOf(root: Issuer, more: readonly Manifest[] = []): MeshState {
  const first = inventoryOf(honest)
  const inventory = inventoryOf([...honest, ...more], first)
  const { services, endpoints } = meshState(inventory, { ...settings, trustDomain: parseTrustDomain('mesh.test') })
  return newState({ roots: [root], services: [...services.values()], endpoints: Object.fromEntries(endpoints) })
}

for (const account of ['orders', 'mallory'] as const)
  describe(`a call to the address of a pod of shop/orders where ${account} answers`, () => {
    let root: Issuer
    let program: Program
    let client: Namespace
    let server: Namespace
    let clientProxy: CapturedPod
    let serverProxy: CapturedPod
    before(async () => {
      program = new Program()
      await program.start()
      client = new Namespace()
      server = new Namespace()
      link(client.name, server.name, true)
      root = await newRoot()
      const podOf = async (name: string, addresses: readonly string[], id = spiffeId('shop', name)) => ({
        workload: newWorkload({
          ...{ uid: randomUUID(), name, addresses: [...addresses], mode: MutualTlsMode.STRICT },
          portModes: { [OPEN_PORT]: MutualTlsMode.DISABLE },
          ports: [{ number: PORT, protocol: Protocol.HTTP, reason: '' }]
        }),
        svid: await newSvid(root, id),
        interception: { kind: 'redirect' } as const,
        probes: []
      })
      const id = spiffeId(account === 'orders' ? 'shop' : 'aaa', account)
      const serverPod = await podOf('orders', Object.values(OUTSIDE), id)
      serverProxy = await startCapturedPod(server, program, meshOf(root), serverPod)
      clientProxy = await startCapturedPod(
        client,
        program,
        meshOf(root),
        await podOf('storefront', Object.values(INSIDE))
      )
      for (const port of [PORT, OPEN_PORT]) await server.serve('::', port)
    })
    after(async () => {
      await client.close()
      await server.close()
      await clientProxy.close()
      await serverProxy.close()
      await program.close()
    })

    const call = async (host: string, port: number): Promise<string | undefined> =>
      (await client.call(USER.application, `http://${host}:${port}/`)).by
    const refusals = (): Promise<number> =>
      clientProxy.stat('cluster.direct/mesh.test/ns/shop/sa/orders/http.ssl.fail_verify_san')
    const HOSTS = [OUTSIDE.ipv4, `[${OUTSIDE.ipv6}]`]

    async function isAsItWas(): Promise<void> {
      for (const host of HOSTS) {
        const before = await refusals()
        assert.equal(await call(host, PORT), account === 'orders' ? 'app' : undefined, host)
        if (account === 'mallory') assert.ok((await refusals()) > before, 'refused for its identity')
        assert.equal(await call(host, OPEN_PORT), 'app', `${host}, a place that no Service names`)
      }
    }

    it(`is ${account === 'orders' ? 'answered' : 'refused'} before anyone claims the address`, isAsItWas)

    for (const [title, manifests] of Object.entries(ATTACKS))
      it(`is ${account === 'orders' ? 'answered' : 'refused'} when another namespace ${title}`, async () => {
        await clientProxy.update(meshOf(root, manifests))
        await isAsItWas()
      })

    it(`is ${account === 'orders' ? 'answered' : 'refused'} on an open connection, and none was closed`, async t => {
      const next = await client.session(USER.application, `http://${OUTSIDE.ipv4}:${PORT}/`)
      const first = await next()
      for (const manifests of Object.values(ATTACKS)) {
        await clientProxy.update(meshOf(root, manifests))
        if (account === 'orders') assert.deepEqual(await next(), first, 'the same connection')
        else assert.equal((await next()).by, undefined)
      }
      await eventually(
        async () => (await clientProxy.stat('listener_manager.total_filter_chains_draining')) === 0,
        'no chain is going'
      )
      t.diagnostic(`${Object.keys(ATTACKS).length} attacks`)
    })
  })
