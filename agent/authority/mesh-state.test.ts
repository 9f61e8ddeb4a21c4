import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { SpiffeId } from '../../shared/identity/index.ts'
import {
  EndpointsSchema,
  LoginSecretSchema,
  MeshSchema,
  MutualTlsMode,
  ServiceSchema,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { generateKeyPair, spkiOf } from '../../shared/x509/index.ts'
import { FakeIssuer } from '../../test/fakes/authority.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { meshTypes, trustBundlesOf } from './mesh-state.ts'

const issuer = await FakeIssuer.create({ clock: new FakeClock() })
const types = meshTypes(issuer.trustDomain)
const roots = issuer.bundle.roots.map(({ der }) => der)
const own = { trustDomain: 'mesh.test', roots }
const { publicKey } = await generateKeyPair()
const leaf = issuer.certify(SpiffeId.workload(issuer.trustDomain, 'a', 'b'), spkiOf(publicKey)).map(({ der }) => der)

const bytes = <Schema extends DescMessage>(schema: Schema, message: MessageInitShape<Schema>): Uint8Array =>
  toBinary(schema, create(schema, message))
const mesh =
  (change: MessageInitShape<typeof MeshSchema> = {}) =>
  (name = 'mesh') =>
    types.mesh.decode(bytes(MeshSchema, { trustDomain: 'mesh.test', trustBundles: [own], ...change }), name)
const workload =
  (change: MessageInitShape<typeof WorkloadSchema> = {}) =>
  (name = 'uid-1') =>
    types.workload.decode(bytes(WorkloadSchema, { uid: 'uid-1', mode: MutualTlsMode.STRICT, ...change }), name)
const service =
  (change: MessageInitShape<typeof ServiceSchema> = {}) =>
  (name = 'shop/cart') =>
    types.service.decode(bytes(ServiceSchema, { namespace: 'shop', name: 'cart', ...change }), name)
const endpoints =
  (change: { servicePort?: number; address?: string; port?: number; list?: 'endpoints' | 'unready' } = {}) =>
  () => {
    const { servicePort = 80, address = '10.0.0.1', port = 8080, list = 'endpoints' } = change
    const message = { ports: [{ servicePort, [list]: [{ address, port, mutualTls: true }] }] }
    return types.endpoints.decode(bytes(EndpointsSchema, message), 'shop/cart')
  }

const login = (change: object = {}) =>
  workload({
    endUsers: {
      providers: [
        {
          name: 'web',
          login: {
            clientId: 'web',
            secret: 'shop/web',
            scopes: ['openid', 'profile'],
            redirectPath: '/oauth2/callback',
            signOutPath: '/oauth2/sign-out',
            authorizationEndpoint: 'https://accounts.test/auth?prompt=login',
            tokenEndpoint: 'http://[::1]:8080/token',
            ...change
          }
        }
      ]
    }
  })
const loginSecret =
  (clientSecret = 'secret', keyBytes = 32) =>
  () =>
    types.loginSecret.decode(
      bytes(LoginSecretSchema, { clientSecret: Buffer.from(clientSecret), hmacKey: Buffer.alloc(keyBytes) }),
      'shop/web'
    )

describe('a resource of the mesh state', () => {
  it('is taken when it can be used', () => {
    assert.equal(mesh()().trustDomain, 'mesh.test')
    const ports = [{ number: 8080 }]
    const portModes = { 8080: MutualTlsMode.DISABLE }
    assert.equal(workload({ addresses: ['10.0.0.1', 'fd00::1'], ports, portModes })().uid, 'uid-1')
    assert.deepEqual(service({ addresses: [], ports: [{ number: 65_535 }] })().addresses, [])
    assert.equal(endpoints({ address: '::1' })().ports.length, 1)
    assert.equal(login()().endUsers?.providers.length, 1)
    assert.equal(login({ authorizationEndpoint: '', tokenEndpoint: '' })().endUsers?.providers.length, 1)
    assert.equal(loginSecret()().hmacKey.length, 32)
    assert.deepEqual(
      trustBundlesOf(mesh()()).map(({ trustDomain, roots }) => [trustDomain, roots[0]?.serialNumber]),
      [['mesh.test', issuer.bundle.roots[0]?.serialNumber]]
    )
  })

  const refusals: Record<string, [() => unknown, RegExp]> = {
    'a mesh of another name': [() => mesh()('other'), /^name: expected mesh, got other$/],
    'a mesh of another trust domain': [
      mesh({ trustDomain: 'other.test' }),
      /^trust_domain: expected mesh\.test, got other/
    ],
    'a mesh without bundles': [mesh({ trustBundles: [] }), /^trust_bundles: expected one for mesh\.test$/],
    'a mesh without its own bundle': [
      mesh({ trustBundles: [{ trustDomain: 'other.test', roots }] }),
      /expected one for mesh/
    ],
    'a bundle without a root': [
      mesh({ trustBundles: [own, { trustDomain: 'b.test', roots: [] }] }),
      /b\.test has no root/
    ],
    'a bundle with what is no certificate': [mesh({ trustBundles: [{ ...own, roots: [Buffer.from('x')] }] }), /./],
    'a bundle with a certificate of a workload': [mesh({ trustBundles: [{ ...own, roots: leaf }] }), /no authority/],
    'a bundle of what is no trust domain': [
      mesh({ trustBundles: [own, { trustDomain: 'A B', roots }] }),
      /trust domain "A B"/
    ],
    'a workload under another UID': [() => workload()('uid-2'), /^uid: expected uid-2, got uid-1$/],
    'a workload without a mode': [workload({ mode: 0 }), /^mode: expected a known mode, got 0$/],
    'a workload with a mode of the future': [
      workload({ mode: 9 as MutualTlsMode }),
      /^mode: expected a known mode, got 9$/
    ],
    'a workload with a port without a mode': [
      workload({ portModes: { 80: 0 } }),
      /^port_modes\.80: expected a known mode/
    ],
    'a workload with a mode for port 0': [workload({ portModes: { 0: 3 } }), /^port_modes: expected a port/],
    'a workload with port 0': [workload({ ports: [{ number: 0 }] }), /^ports: expected a port from 1 to 65535, got 0$/],
    'a workload with port 65536': [workload({ ports: [{ number: 65_536 }] }), /got 65536$/],
    'a workload with a name for an address': [
      workload({ addresses: ['localhost'] }),
      /^addresses: .* got "localhost"$/
    ],
    'a service under another name': [
      () => service()('shop/pay'),
      /^namespace and name: expected shop\/pay, got shop\/cart$/
    ],
    'a service with a network for an address': [
      service({ addresses: ['10.0.0.0/8'] }),
      /^addresses: expected IP addresses/
    ],
    'a service with a pod identity that is none': [service({ podIdentities: [''] }), /SPIFFE ID/],
    'a service with port 0': [service({ ports: [{ number: 0 }] }), /^ports: /],
    'endpoints of port 0': [endpoints({ servicePort: 0 }), /^ports\.service_port: /],
    'an endpoint without an address': [endpoints({ address: '' }), /^ports\.endpoints\.address: .* got ""$/],
    'an endpoint with port 70000': [endpoints({ port: 70_000 }), /^ports\.endpoints\.port: /],
    'an endpoint that is not ready and has a name for an address': [
      endpoints({ list: 'unready', address: 'orders-0' }),
      /^ports\.unready\.address: .* got "orders-0"$/
    ],
    'an endpoint that is not ready with port 0': [endpoints({ list: 'unready', port: 0 }), /^ports\.unready\.port: /],
    'a login of nobody': [login({ clientId: '' }), /login\.client_id: expected a text/],
    'a login without a secret': [login({ secret: '' }), /login\.secret: expected a text/],
    'a login that asks for no ID token': [login({ scopes: ['profile'] }), /scopes: expected openid among them/],
    'a login that comes back to no path': [login({ redirectPath: 'back' }), /redirect_path: .* got "back"$/],
    'a login that comes back to a formula': [login({ redirectPath: '/%REQ(host)%' }), /redirect_path: expected a path/],
    'a login that comes back with a query': [login({ redirectPath: '/back?x' }), /redirect_path: expected a path/],
    'a login that ends nowhere': [login({ signOutPath: '' }), /sign_out_path: expected a path, got ""$/],
    'a login that ends where it comes back': [
      login({ signOutPath: '/oauth2/callback' }),
      /sign_out_path: expected another than redirect_path/
    ],
    'a login that sends browsers to a script': [
      login({ authorizationEndpoint: 'javascript:alert(1)' }),
      /authorization_endpoint: expected a URL of http or https/
    ],
    'a login that asks for tokens in a file': [login({ tokenEndpoint: 'file:///x' }), /token_endpoint: expected a URL/],
    'a login that ends sessions at no URL': [
      login({ endSessionEndpoint: '/end' }),
      /end_session_endpoint: .* "\/end"$/
    ],
    'a secret that is empty': [loginSecret(''), /^client_secret: expected some bytes/],
    'a secret whose key is short': [loginSecret('secret', 31), /^hmac_key: expected at least 32 bytes, got 31$/],
    'what is no message': [() => types.mesh.decode(Buffer.from([0xff, 0xff]), 'mesh'), /./]
  }
  for (const [title, [decode, message]] of Object.entries(refusals))
    it(`is refused: ${title}`, () => {
      assert.throws(() => decode(), { message })
    })
})
