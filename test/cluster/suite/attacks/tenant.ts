import assert from 'node:assert/strict'
import { it } from 'node:test'
import { until } from '../../../../cli/local/index.ts'
import { becomes, statusOfCall } from './calls.ts'
import { ATTACKER, demandToken, goodToken, LEDGER_PORT, type Victims } from './victims.ts'

const STOREFRONT = ['shop', 'storefront'] as const

const service = (name: string, namespace: string, spec: object, annotations = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace, annotations },
  spec
})

const slice = (name: string, endpoint: object, port: number): object => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: ATTACKER, labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  endpoints: [endpoint],
  ports: [{ name: 'http', port }]
})

const headless = { clusterIP: 'None', ports: [{ name: 'http', port: 8080 }] }

export function tenantAttacks(victims: () => Victims): void {
  it('a tenant who can write EndpointSlices cannot say who is to be found at an address of another namespace', async t => {
    const { cluster, orders, mallory } = victims()
    const direct = `http://${orders.status.podIP}:8080/`
    const calls = async (): Promise<readonly (number | string)[]> =>
      Promise.all([statusOfCall(cluster, STOREFRONT, direct), statusOfCall(cluster, STOREFRONT, 'http://orders.shop/')])
    await becomes('honest calls', [200, 200], calls)
    const targetRef = { kind: 'Pod', namespace: ATTACKER, name: mallory.metadata.name, uid: mallory.metadata.uid }
    const forgeries = [
      ['by-uid', { targetRef }, {}],
      ['by-address', {}, {}],
      ['pinned-to-nobody', {}, { 'countersign.dev/service-accounts': '' }],
      ['pinned-to-mallory', { targetRef }, { 'countersign.dev/service-accounts': 'mallory' }]
    ] as const
    // One after the other: of several that claim one address the first could hide what the others do.
    for (const [name, reference, annotations] of forgeries) {
      await cluster.apply(
        service(name, ATTACKER, headless, annotations),
        slice(name, { addresses: [orders.status.podIP], conditions: { ready: true }, ...reference }, 8080)
      )
      try {
        await untilAgentsKnow(victims(), `${ATTACKER}/${name}`)
        for (let time = 0; time < 3; time++) assert.deepEqual(await calls(), [200, 200], `${name}, call ${time}`)
      } finally {
        await cluster.kubectl(['delete', 'service,endpointslice', '-n', ATTACKER, name])
      }
    }
    t.diagnostic(`${forgeries.length} forged EndpointSlices changed nothing`)
  })

  it('a tenant who can write Services and no policies cannot turn off the check of a port', async t => {
    const { cluster } = victims()
    const url = `http://ledger.shop:${LEDGER_PORT}/secret`
    const call = (headers = {}): Promise<number | string> => statusOfCall(cluster, STOREFRONT, url, headers)
    await cluster.apply(demandToken('ledger'))
    await becomes('ledger to demand a token', 401, call)
    const declarations = { tcp: 'tcp', https: 'https', unheard: 'example.com/unheard' }
    for (const [name, appProtocol] of Object.entries(declarations)) {
      const port = { name, port: 1, targetPort: LEDGER_PORT, appProtocol }
      await cluster.apply(service(`a-${name}`, 'shop', { selector: { app: 'ledger' }, ports: [port] }))
      try {
        await untilAgentsKnow(victims(), `shop/a-${name}`)
        for (let time = 0; time < 3; time++) assert.equal(await call(), 401, `${name}, call ${time}`)
      } finally {
        await cluster.kubectl(['delete', 'service', '-n', 'shop', `a-${name}`])
      }
    }
    t.diagnostic(`${Object.keys(declarations).length} declarations of another protocol let nobody in`)
    await becomes('ledger to serve who has a token', 200, () => call({ authorization: `Bearer ${goodToken()}` }))
    await cluster.kubectl(['delete', 'eua', '-n', 'shop', 'ledger'])
  })

  it('a tenant whose policy has fields that nobody knows is told so, and opens nothing by it', async t => {
    const { cluster } = victims()
    const policy = (kind: string, group: string, spec: object): object => ({
      apiVersion: `${group}/v1`,
      kind,
      metadata: { name: 'misspelled', namespace: 'shop' },
      spec
    })
    const jwtRules = [{ issuer: 'https://accounts.attacks.test', jwksUri: 'https://accounts.attacks.test/keys' }]
    const misspelled: Readonly<Record<string, object>> = {
      targetRefs: policy('RequestAuthentication', 'security.istio.io', {
        targetRefs: [{ kind: 'Gateway', group: 'gateway.networking.k8s.io', name: 'one' }],
        jwtRules
      }),
      selectors: policy('PeerAuthentication', 'security.istio.io', { selectors: {}, mtls: { mode: 'STRICT' } }),
      'mtls.modus': policy('PeerAuthentication', 'security.istio.io', { mtls: { modus: 'STRICT' } }),
      includePath: policy('EndUserAuthentication', 'countersign.dev', {
        issuer: 'https://accounts.attacks.test',
        includePath: ['/admin']
      })
    }
    let refused = 0
    for (const [field, object] of Object.entries(misspelled))
      for (const validate of ['--validate=false', '--validate=warn', '--server-side']) {
        const outcome = await cluster.kubectlOutcome(['apply', validate, '-f', '-'], { input: JSON.stringify(object) })
        assert.notEqual(outcome.code, 0, `${field} was taken with ${validate}`)
        assert.match(outcome.stderr, new RegExp(field.replace('.', '.*')), `${field} with ${validate}`)
        refused++
      }
    t.diagnostic(`${refused} ways to store an unknown field were refused`)
  })

  it('a tenant who makes a volume by hand gets no second one, and no certificate where nobody was enrolled', async () => {
    const { cluster } = victims()
    const volume = (name: string): object => ({
      name,
      csi: {
        driver: 'csi.countersign.dev',
        readOnly: true,
        volumeAttributes: { 'countersign.dev/exclude-inbound-ports': String(LEDGER_PORT) }
      }
    })
    const podWith = (namespace: string, name: string): object => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'by-hand', namespace },
      spec: {
        nodeName: 'node0',
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'application',
            image: 'countersign.dev/examples/echo:1',
            volumeMounts: [{ name, mountPath: '/by-hand' }]
          }
        ],
        volumes: [volume(name)]
      }
    })
    const { code, stderr } = await cluster.kubectlOutcome(['create', '-f', '-'], {
      input: JSON.stringify(podWith(ATTACKER, 'aaa'))
    })
    assert.notEqual(code, 0, 'the pod with a second volume was taken')
    assert.match(stderr, /csi\.countersign\.dev/)
    await cluster.apply(podWith('plain', 'countersign'))
    const refused = await until('the authority to refuse a certificate', async () => {
      const output = await cluster.kubectl([
        ...['logs', '-n', 'countersign-system', '-l', 'app.kubernetes.io/component=authority', '--tail=-1']
      ])
      return output.split('\n').find(line => line.includes('certificate refused') && line.includes('enrolled'))
    })
    assert.match(refused, /enrolled/)
    await cluster.kubectl(['delete', 'pod', '-n', 'plain', 'by-hand', '--wait=false'])
  })
}

/** Waits until both nodes were told of a Service: everything that was written before it is known there as well. */
async function untilAgentsKnow({ cluster }: Victims, name: string): Promise<void> {
  for (const node of cluster.nodes)
    await until(`${node.name} to be told of ${name}`, async () => {
      const { code } = await node.run(['grep', '-qa', name, '/run/countersign/mesh.bin'])
      return code === 0 || undefined
    })
}
