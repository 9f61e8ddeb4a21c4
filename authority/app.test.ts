import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { afterEach, describe, it } from 'node:test'
import { parseOptions } from '../shared/config/index.ts'
import { FakeApiServer } from '../shared/kube/api-server.test-support.ts'
import { record, secretText } from '../shared/kube/index.ts'
import { recordingLogger } from '../shared/kube/kube.test-support.ts'
import { eventually } from '../test/eventually.ts'
import { startAuthority } from './app.ts'
import { OPTIONS } from './options.ts'

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A cluster with a namespace `shop` that asks for Secrets, and in it an account that runs a Service. */
async function cluster(): Promise<FakeApiServer> {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  const issuer = 'https://kubernetes.default.svc'
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  server.texts.set('/openid/v1/jwks', JSON.stringify({ keys: [{ ...key, kid: 'k', alg: 'RS256', use: 'sig' }] }))
  server.texts.set('/.well-known/openid-configuration', JSON.stringify({ issuer }))
  // Released by a leader before: nobody has to wait for the end of its term.
  const lease = { name: 'countersign-authority', namespace: 'countersign-system' }
  server.put('/apis/coordination.k8s.io/v1/leases', { metadata: lease, spec: { holderIdentity: '' } })
  server.put('/api/v1/namespaces', { metadata: { name: 'shop', labels: { 'countersign.dev/secrets': 'enabled' } } })
  const of = (name: string, more: object = {}) => ({
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, ...more }
  })
  const annotations = { 'countersign.dev/certificate-dns-names': 'services' }
  server.put('/api/v1/serviceaccounts', of('orders', { annotations }))
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }]
  server.put('/api/v1/services', { ...of('web'), spec: { type: 'ClusterIP', selector: { app: 'web' }, ports } })
  server.put('/api/v1/pods', {
    ...of('web-1', { labels: { app: 'web' } }),
    spec: { serviceAccountName: 'orders', containers: [{ name: 'app' }] },
    status: { phase: 'Running', podIP: '10.0.0.1' }
  })
  return server
}

async function authority(server: FakeApiServer, ...argv: readonly string[]) {
  const { log, lines } = recordingLogger()
  const flags = [`--kubeconfig=${server.kubeconfig}`, '--listen-address=127.0.0.1:0', '--health-address=127.0.0.1:0']
  const running = await startAuthority(parseOptions(OPTIONS, [...flags, ...argv], {}), log)
  closers.push(() => running.close())
  return lines
}

describe('the authority in a cluster', () => {
  it('delivers certificates as Secrets where that is asked for and allowed', async () => {
    const server = await cluster()
    const lines = await authority(server, '--secret-namespaces=shop', '--secret-lifetime=2h')
    const secret = () => server.find('/api/v1/secrets', 'countersign.orders', 'shop')
    await eventually(
      () => secret() !== undefined,
      () => JSON.stringify(lines.slice(-5))
    )
    const found = secret()
    assert.ok(found !== undefined)
    const leaf = new X509Certificate(secretText(found, 'cert-chain.pem') ?? '')
    const root = new X509Certificate(secretText(found, 'root-cert.pem') ?? '')
    assert.ok(leaf.verify(root.publicKey))
    assert.match(leaf.subjectAltName ?? '', /URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/orders/)
    assert.match(leaf.subjectAltName ?? '', /DNS:web\.shop\.svc\.cluster\.local/)
    const lifeMs = leaf.validToDate.getTime() - leaf.validFromDate.getTime()
    assert.ok(lifeMs > 7_200_000 && lifeMs < 7_500_000)
    const conditions = (): unknown => record(server.find('/api/v1/namespaces', 'shop')?.['status'])?.['conditions']
    await eventually(() => JSON.stringify(conditions() ?? []).includes('"True"'), 'the condition')
  })

  it('delivers none where it is not allowed, and says so', async () => {
    const server = await cluster()
    const lines = await authority(server)
    await eventually(() => lines.some(({ change }) => change === 'certificateSecrets.namespaces'), 'the warning')
    assert.ok(!server.requests.some(({ path }) => path.startsWith('/api/v1/namespaces/shop')))
  })
})
