import { create } from '@bufbuild/protobuf'
import type { EndUserChecks, LoginSecret, Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { FilterChainSchema } from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import { SecretSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { createResource, type Resource } from '../../shared/xds/index.ts'
import { plainHttp } from './http.ts'
import { internalListener } from './listener.ts'
import { type ActiveLogin, activeLogin } from './login.ts'
import { loginFilter } from './login-filter.ts'
import { memoize, memoizePair } from './memoize.ts'
import type { LoginSecrets, MeshState, WebRoots } from './mesh-state.ts'
import { clientSecretName, NAMES, sessionKeyName } from './names.ts'
import { anyHost } from './route.ts'
import { tokenEndpointCluster, webRootsSecret } from './token-endpoint.ts'

/** What a login needs beside its filters. */
interface LoginResources {
  /** The way to the issuer. */
  readonly clusters: readonly Resource[]
  readonly listeners: readonly Resource[]
  /** By which the proxy proves itself to the issuer, by which it knows sessions, and by which it knows the issuer. */
  readonly secrets: readonly Resource[]
}

const NONE: LoginResources = { clusters: [], listeners: [], secrets: [] }

export const loginResources = (
  { endUsers }: Workload,
  { loginSecrets, webRoots }: Pick<MeshState, 'loginSecrets' | 'webRoots'>
): LoginResources => (endUsers === undefined ? NONE : resourcesFor(endUsers, loginSecrets)(webRoots))

const resourcesFor = memoizePair((checks: EndUserChecks, loginSecrets: LoginSecrets) =>
  memoize((webRoots: WebRoots): LoginResources => {
    const active = activeLogin(checks, loginSecrets)
    if (active === undefined) return NONE
    const { login } = active
    const secret = loginSecrets.get(login.secret)
    const roots = webRootsSecret(login.tokenEndpoint, webRoots)
    return {
      clusters: [tokenEndpointCluster(login.tokenEndpoint)],
      listeners: [secretsListener(active)],
      secrets: [
        ...(secret === undefined ? [] : secretResources(login.secret, secret)),
        ...(roots === undefined ? [] : [roots])
      ]
    }
  })
)

/**
 * A listener within the proxy that nothing leads to. It holds the login's secrets: Envoy fetches those that a listener
 * refers to as it comes, but not those of a filter that comes by reference to a listener that is there already.
 */
function secretsListener(active: ActiveLogin): Resource {
  const name = NAMES.listener.loginSecrets
  return internalListener(name, 'inbound', {
    filterChains: [
      create(FilterChainSchema, { name, filters: [plainHttp(name, anyHost(name, []), [loginFilter(active)])] })
    ]
  })
}

const secretResources = (name: string, { clientSecret, hmacKey }: LoginSecret): readonly Resource[] => [
  genericSecret(clientSecretName(name), clientSecret),
  genericSecret(sessionKeyName(name), hmacKey)
]

const genericSecret = (name: string, bytes: Uint8Array): Resource =>
  createResource(SecretSchema, name, {
    name,
    type: { case: 'genericSecret', value: { secret: { specifier: { case: 'inlineBytes', value: bytes } } } }
  })
