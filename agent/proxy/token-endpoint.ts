import { isIP } from 'node:net'
import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import {
  Cluster_DnsLookupFamily as DnsLookupFamily,
  Cluster_DiscoveryType as Type
} from '../../shared/proto/gen/envoy/config/cluster/v3/cluster_pb.js'
import { type TransportSocket, TransportSocketSchema } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import { ClusterLoadAssignmentSchema } from '../../shared/proto/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import {
  TlsParameters_TlsProtocol as Protocol,
  SubjectAltNameMatcher_SanType as SanType
} from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { SecretSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { UpstreamTlsContextSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { createResource, type Resource } from '../../shared/xds/index.ts'
import { socketAddress } from './address.ts'
import { cluster } from './cluster.ts'
import { secretFromAgent } from './config-source.ts'
import { memoize } from './memoize.ts'
import type { WebRoots } from './mesh-state.ts'
import { NAMES } from './names.ts'
import { PLAINTEXT_SOCKET } from './tls.ts'

interface Place {
  readonly secure: boolean
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
}

function placeOf(endpoint: string): Place {
  const { protocol, hostname, port } = new URL(endpoint)
  const secure = protocol === 'https:'
  return { secure, host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (secure ? 443 : 80) : Number(port) }
}

/** One for all endpoints at the same place. */
export function tokenEndpointClusterName(endpoint: string): string {
  const { secure, host, port } = placeOf(endpoint)
  return `token-endpoint/${secure ? 'https' : 'http'}/${host}/${port}`
}

const KEPT_MS = 10_000

/**
 * To the issuer, where codes become tokens. It is outside of the mesh, or may be: the proxy's own connection, which
 * capture lets through.
 */
export function tokenEndpointCluster(endpoint: string): Resource {
  const place = placeOf(endpoint)
  const name = tokenEndpointClusterName(endpoint)
  return cluster(
    name,
    { http: 'same as downstream', idleMs: KEPT_MS },
    {
      // Every address that the name has, in either family, one after the other (RFC 8305).
      clusterDiscoveryType: { case: 'type', value: isIP(place.host) === 0 ? Type.LOGICAL_DNS : Type.STATIC },
      dnsLookupFamily: DnsLookupFamily.ALL,
      respectDnsTtl: true,
      // An application does not wait for the issuer's name.
      waitForWarmOnInit: false,
      transportSocket: place.secure ? tlsTo(place.host) : PLAINTEXT_SOCKET,
      loadAssignment: create(ClusterLoadAssignmentSchema, {
        clusterName: name,
        endpoints: [
          {
            lbEndpoints: [
              { hostIdentifier: { case: 'endpoint', value: { address: socketAddress(place.host, place.port) } } }
            ]
          }
        ]
      })
    }
  )
}

/** As a browser would: a certificate for that host, of one of the roots of the web. */
function tlsTo(host: string): TransportSocket {
  const isAddress = isIP(host) !== 0
  const context = create(UpstreamTlsContextSchema, {
    ...(isAddress ? {} : { sni: host }),
    commonTlsContext: {
      tlsParams: { tlsMinimumProtocolVersion: Protocol.TLSv1_2, tlsMaximumProtocolVersion: Protocol.TLSv1_3 },
      validationContextType: {
        case: 'combinedValidationContext',
        value: {
          validationContextSdsSecretConfig: secretFromAgent(NAMES.secret.webTrust),
          defaultValidationContext: {
            matchTypedSubjectAltNames: [
              {
                sanType: isAddress ? SanType.IP_ADDRESS : SanType.DNS,
                matcher: { matchPattern: { case: 'exact', value: host } }
              }
            ]
          }
        }
      }
    }
  })
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: anyPack(UpstreamTlsContextSchema, context) }
  })
}

/** Undefined where nothing is verified by them. */
export const webRootsSecret = (endpoint: string, roots: WebRoots): Resource | undefined =>
  placeOf(endpoint).secure ? secretOf(roots) : undefined

const secretOf = memoize(({ pem }: WebRoots) =>
  createResource(SecretSchema, NAMES.secret.webTrust, {
    name: NAMES.secret.webTrust,
    type: { case: 'validationContext', value: { trustedCa: { specifier: { case: 'inlineString', value: pem } } } }
  })
)
