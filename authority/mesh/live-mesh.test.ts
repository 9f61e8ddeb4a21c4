import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { stringify } from 'yaml'
import { systemClock } from '../../shared/clock/index.ts'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import { FolderSource } from '../../shared/inventory/folder/index.ts'
import { recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { LoginSecretSchema, WorkloadSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { typeUrlOf } from '../../shared/xds/index.ts'
import { eventually } from '../../test/eventually.ts'
import { BlockedAddresses, KeyRing, keySetName } from '../keys/index.ts'
import { FolderSecretStore, LoginSecrets } from '../login-secrets/index.ts'
import { tokenSources } from '../naming/index.ts'
import { LiveMesh } from './index.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const KEY = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })

/** An identity provider that answers by HTTP what it is told to. */
async function provider() {
  const says = { endpoints: {} as object }
  const server = createServer((request, response) => {
    const discovery = { issuer, jwks_uri: `${issuer}/keys`, ...says.endpoints }
    response.setHeader('cache-control', 'no-store')
    response.end(JSON.stringify(request.url === '/keys' ? { keys: [KEY] } : discovery))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { issuer, says }
}

const metadata = (name: string) => ({ name, namespace: 'shop' })

const manifests = (issuer: string): readonly object[] => [
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata('web-1'), uid: 'uid-web', labels: { app: 'web' } },
    spec: {
      nodeName: 'node-1',
      initContainers: [{ name: 'countersign-proxy', restartPolicy: 'Always', volumeMounts: [{ name: 'countersign' }] }],
      volumes: [{ name: 'countersign', csi: { driver: 'csi.countersign.dev' } }],
      containers: [{ name: 'app', ports: [{ name: 'http', containerPort: 8080 }] }]
    },
    status: { phase: 'Running', podIP: '10.0.0.1' }
  },
  {
    apiVersion: 'countersign.dev/v1',
    kind: 'EndUserAuthentication',
    metadata: metadata('web'),
    spec: { issuer, login: { clientId: 'web', clientSecret: { name: 'web-login' } } }
  }
]

test('what a login needs reaches the agent of its node as it becomes known, and no log', async () => {
  const { issuer, says } = await provider()
  const folder = mkdtempSync(join(tmpdir(), 'countersign-mesh-'))
  closers.push(() => rmSync(folder, { recursive: true }))
  writeFileSync(
    join(folder, 'mesh.yaml'),
    manifests(issuer)
      .map(manifest => stringify(manifest))
      .join('---\n')
  )
  const { log, lines } = recordingLogger()
  const source = await FolderSource.open({ path: folder, clock: systemClock, log, watch: false })
  closers.push(() => source.close())

  const common = { clock: systemClock, random: Math.random, log }
  const keys = new KeyRing({ ...common, blockedAddresses: new BlockedAddresses([]) })
  closers.push(() => keys.close())
  const loginSecrets = new LoginSecrets({ ...common, store: new FolderSecretStore(source) })
  closers.push(() => loginSecrets.close())
  const settings = {
    trustDomain: parseTrustDomain('cluster.local'),
    bundles: [],
    clusterDomain: 'cluster.local',
    minimumTlsWithoutProxy: '1.3',
    rootNamespace: 'countersign-system',
    keySetName
  } as const
  const mesh = new LiveMesh({ source, settings, keys, loginSecrets, observer: { onMesh: () => {} }, log })
  closers.push(() => mesh.close())
  keys.follow(tokenSources(source.current()))
  loginSecrets.follow(source.current().endUserAuthentications)
  const heard: number[] = []
  const node = mesh.forNode('node-1')
  node.subscribe(() => heard.push(heard.length))

  const sent = () => {
    const { types } = node.current()
    const workload = types.get(typeUrlOf(WorkloadSchema))?.get('uid-web')
    const secret = types.get(typeUrlOf(LoginSecretSchema))?.get('shop/web')
    const { clientSecret, hmacKey } = fromBinary(LoginSecretSchema, secret?.value ?? new Uint8Array())
    const checks = fromBinary(WorkloadSchema, workload?.value ?? new Uint8Array()).endUsers
    return { login: checks?.providers[0]?.login, secret: String(Buffer.from(clientSecret)), keyBytes: hmacKey.length }
  }
  const problems = () => lines.filter(({ kind }) => kind === 'login-unavailable').map(({ message }) => String(message))

  await eventually(() => problems().length === 2, 'both reasons why nobody can sign in')
  const [endpoints, missing] = problems().sort()
  assert.match(endpoints ?? '', /^nobody can sign in: .*: token_endpoint: expected an https or http URL$/)
  assert.equal(missing, 'nobody can sign in: there is no Secret shop/web-login')
  assert.deepEqual([sent().login?.tokenEndpoint, sent().login?.secret, sent().keyBytes], ['', 'shop/web', 0])

  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadata('web-login'),
    stringData: { 'client-secret': 'hunter2' }
  }
  writeFileSync(join(folder, 'secret.yaml'), stringify(secret))
  await source.rescan()
  await eventually(() => sent().secret === 'hunter2', 'the secret')
  assert.equal(sent().keyBytes, 32)

  const before = heard.length
  says.endpoints = { authorization_endpoint: `${issuer}/in`, token_endpoint: `${issuer}/token` }
  keys.unknownKey(keySetName({ issuer }))
  await eventually(() => sent().login?.tokenEndpoint === `${issuer}/token`, 'the endpoints')
  assert.equal(sent().login?.authorizationEndpoint, `${issuer}/in`)
  assert.ok(heard.length > before)
  const elsewhere = mesh.forNode('node-2').current().types.get(typeUrlOf(LoginSecretSchema))
  assert.equal(elsewhere?.size, 0)

  rmSync(join(folder, 'secret.yaml'))
  await source.rescan()
  await eventually(() => sent().secret === '', 'the end of the secret')
  assert.doesNotMatch(JSON.stringify(lines), /hunter/)
})
