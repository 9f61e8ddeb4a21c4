import { isIP } from 'node:net'
import { parseTrustDomain, SpiffeId, type TrustDomain } from '../../shared/identity/index.ts'
import {
  type Endpoints,
  EndpointsSchema,
  type EndUserChecks,
  type KeySet,
  KeySetSchema,
  type Login,
  type LoginSecret,
  LoginSecretSchema,
  type Mesh,
  MeshSchema,
  MutualTlsMode,
  type Service,
  ServiceSchema,
  type Workload,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { parseCertificate, type TrustBundle } from '../../shared/x509/index.ts'
import { type ResourceType, resourceType } from '../../shared/xds/index.ts'

/** What the authority said of the mesh, as a whole and at one moment. Frozen, a new one after each change. */
export interface MeshState {
  /** Undefined until the authority, or what was kept of it, has been heard. */
  readonly mesh: Mesh | undefined
  /** By UID of the pod: those of this node. */
  readonly workloads: ReadonlyMap<string, Workload>
  /** By `<namespace>/<name>`. */
  readonly services: ReadonlyMap<string, Service>
  /** By `<namespace>/<name>` of the Service. */
  readonly endpoints: ReadonlyMap<string, Endpoints>
  /** By name: public keys of issuers of end users' tokens, those that workloads of this node refer to. */
  readonly keySets: ReadonlyMap<string, KeySet>
  /** By `<namespace>/<name>` of the policy: what proxies of this node need to log people in. Never logged. */
  readonly loginSecrets: ReadonlyMap<string, LoginSecret>
  /**
   * Whether this is all there is: the authority has answered for every type, now or before a restart. While false,
   * what is missing may be missing only because it was not heard of yet.
   */
  readonly synced: boolean
}

/** Name of the one Mesh resource. */
export const MESH_NAME = 'mesh'

// As many as its hash function gives (RFC 2104, section 3).
const SESSION_KEY_BYTES = 32

export interface MeshTypes {
  readonly mesh: ResourceType<Mesh>
  readonly workload: ResourceType<Workload>
  readonly service: ResourceType<Service>
  readonly endpoints: ResourceType<Endpoints>
  readonly keySet: ResourceType<KeySet>
  readonly loginSecret: ResourceType<LoginSecret>
}

/**
 * The types of mesh state, each with what is checked before a resource is taken: that nothing goes into a proxy's
 * configuration by which Envoy would refuse the rest of it.
 */
export function meshTypes(trustDomain: TrustDomain): MeshTypes {
  return {
    mesh: resourceType(MeshSchema, (mesh, name) => {
      if (name !== MESH_NAME) throw new Error(`name: expected ${MESH_NAME}, got ${name}`)
      if (mesh.trustDomain !== trustDomain)
        throw new Error(`trust_domain: expected ${trustDomain}, got ${mesh.trustDomain}`)
      if (!trustBundlesOf(mesh).some(bundle => bundle.trustDomain === trustDomain))
        throw new Error(`trust_bundles: expected one for ${trustDomain}`)
    }),
    workload: resourceType(WorkloadSchema, (workload, name) => {
      if (workload.uid !== name) throw new Error(`uid: expected ${name}, got ${workload.uid}`)
      checkAddresses('addresses', workload.addresses)
      for (const { number } of workload.ports) checkPort('ports', number)
      checkMode('mode', workload.mode)
      for (const [port, mode] of Object.entries(workload.portModes)) {
        checkPort('port_modes', Number(port))
        checkMode(`port_modes.${port}`, mode)
      }
      if (workload.endUsers !== undefined) checkEndUsers(workload.endUsers)
    }),
    service: resourceType(ServiceSchema, (service, name) => {
      const own = `${service.namespace}/${service.name}`
      if (own !== name) throw new Error(`namespace and name: expected ${name}, got ${own}`)
      checkAddresses('addresses', service.addresses)
      for (const { number } of service.ports) checkPort('ports', number)
      for (const identity of service.podIdentities) SpiffeId.parse(identity)
    }),
    endpoints: resourceType(EndpointsSchema, ({ ports }) => {
      for (const { servicePort, endpoints, unready, untrusted } of ports) {
        checkPort('ports.service_port', servicePort)
        for (const [field, places] of Object.entries({ endpoints, unready, untrusted })) {
          checkAddresses(
            `ports.${field}.address`,
            places.map(({ address }) => address)
          )
          for (const { port } of places) checkPort(`ports.${field}.port`, port)
        }
      }
    }),
    keySet: resourceType(KeySetSchema, ({ jwks }) => {
      if (jwks === '') return
      const { keys } = JSON.parse(jwks) as { readonly keys?: unknown }
      if (!Array.isArray(keys) || keys.length === 0) throw new Error('jwks: expected a JWK Set with a key in it')
    }),
    loginSecret: resourceType(LoginSecretSchema, ({ clientSecret, hmacKey }) => {
      if (clientSecret.length === 0) throw new Error('client_secret: expected some bytes, got none')
      if (hmacKey.length < SESSION_KEY_BYTES)
        throw new Error(`hmac_key: expected at least ${SESSION_KEY_BYTES} bytes, got ${hmacKey.length}`)
    })
  }
}

/**
 * The trust bundles of a mesh, parsed.
 *
 * @throws CountersignError ERR_SPIFFE_ID_INVALID or ERR_CERTIFICATE_INVALID, Error for a bundle without a root
 */
export function trustBundlesOf(mesh: Mesh): readonly TrustBundle[] {
  return mesh.trustBundles.map(bundle => {
    const trustDomain = parseTrustDomain(bundle.trustDomain)
    const roots = bundle.roots.map(parseCertificate)
    // An empty bundle would read as "nobody is trusted" here, and as "anybody" by some validators.
    if (roots.length === 0) throw new Error(`trust_bundles: ${trustDomain} has no root, expected at least one`)
    if (roots.some(root => !root.isAuthority))
      throw new Error(`trust_bundles: ${trustDomain} has a root that is no authority`)
    return { trustDomain, roots }
  })
}

function checkEndUsers({ providers, rules }: EndUserChecks): void {
  const names = new Set(providers.map(({ name }) => name))
  if (names.size !== providers.length) throw new Error('end_users.providers: expected each name once')
  for (const { login } of providers) if (login !== undefined) checkLogin(login)
  for (const rule of rules) {
    if (rule.providers.length === 0) throw new Error('end_users.rules.providers: expected at least one')
    const named = [...rule.providers, ...rule.alsoRequired, ...rule.optionalProviders]
    const unknown = named.find(name => !names.has(name))
    if (unknown !== undefined)
      throw new Error(`end_users.rules.providers: expected names of providers, got ${JSON.stringify(unknown)}`)
  }
}

/** Of the endpoints, none is there before it is known. Characters that Envoy would read as more than a path are refused. */
function checkLogin({ clientId, secret, scopes, redirectPath, signOutPath, ...login }: Login): void {
  const field = 'end_users.providers.login'
  for (const [name, value] of Object.entries({ client_id: clientId, secret }))
    if (value === '') throw new Error(`${field}.${name}: expected a text, got none`)
  if (!scopes.includes('openid'))
    throw new Error(`${field}.scopes: expected openid among them, got ${scopes.join(' ')}`)
  for (const [name, path] of Object.entries({ redirect_path: redirectPath, sign_out_path: signOutPath }))
    if (!/^\/[\w.~!$&'()*+,=:@/-]*$/.test(path))
      throw new Error(`${field}.${name}: expected a path, got ${JSON.stringify(path)}`)
  if (redirectPath === signOutPath) throw new Error(`${field}.sign_out_path: expected another than redirect_path`)
  const endpoints = {
    authorization_endpoint: login.authorizationEndpoint,
    token_endpoint: login.tokenEndpoint,
    end_session_endpoint: login.endSessionEndpoint
  }
  for (const [name, url] of Object.entries(endpoints))
    if (url !== '' && !/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
      throw new Error(`${field}.${name}: expected a URL of http or https, got ${JSON.stringify(url)}`)
}

function checkAddresses(field: string, addresses: readonly string[]): void {
  const wrong = addresses.find(address => isIP(address) === 0)
  if (wrong !== undefined) throw new Error(`${field}: expected IP addresses, got ${JSON.stringify(wrong)}`)
}

function checkPort(field: string, port: number): void {
  if (port < 1 || port > 65_535) throw new Error(`${field}: expected a port from 1 to 65535, got ${port}`)
}

function checkMode(field: string, mode: MutualTlsMode): void {
  // An enum of proto3 is open: a value from a newer authority comes as its number.
  if (mode === MutualTlsMode.UNSPECIFIED || MutualTlsMode[mode] === undefined)
    throw new Error(`${field}: expected a known mode, got ${mode}`)
}
