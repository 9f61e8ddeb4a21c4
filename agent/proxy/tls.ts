import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import type { Mesh } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type TransportSocket, TransportSocketSchema } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import { RawBufferSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js'
import {
  TlsParameters_TlsProtocol as Protocol,
  type TlsParameters,
  TlsParametersSchema
} from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema
} from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { secretFromAgent } from './config-source.ts'
import { NAMES } from './names.ts'

/** The lowest version of TLS that a server takes from clients without a proxy. */
export type MinimumTls = '1.2' | '1.3'

export const minimumTlsOf = ({ tls12WithoutProxy }: Mesh): MinimumTls => (tls12WithoutProxy ? '1.2' : '1.3')

// Where both ends are ours there is nothing older to be compatible with. The first group resists an attacker who
// records now and has a quantum computer later (draft-ietf-tls-ecdhe-mlkem).
const TLS_1_3: TlsParameters = create(TlsParametersSchema, {
  tlsMinimumProtocolVersion: Protocol.TLSv1_3,
  tlsMaximumProtocolVersion: Protocol.TLSv1_3,
  ecdhCurves: ['X25519MLKEM768', 'X25519', 'P-256']
})

// Of 1.2, what RFC 9325, section 4.2, recommends, and ChaCha20 (RFC 7905) for machines that are slow with AES; named
// here so that no default of Envoy's can widen it. Suites of RSA are left out because the key of every pod is P-256.
// Without the list of signatures a client could prove that it has its key by one over SHA-1.
const TLS_1_2_AND_1_3: TlsParameters = create(TlsParametersSchema, {
  ...TLS_1_3,
  tlsMinimumProtocolVersion: Protocol.TLSv1_2,
  cipherSuites: ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  signatureAlgorithms: [
    'ecdsa_secp256r1_sha256',
    'rsa_pss_rsae_sha256',
    'rsa_pkcs1_sha256',
    'ecdsa_secp384r1_sha384',
    'rsa_pss_rsae_sha384',
    'rsa_pkcs1_sha384',
    'rsa_pss_rsae_sha512',
    'rsa_pkcs1_sha512'
  ]
})

function mutualTls(tlsParams: TlsParameters, validationSecret: string, alpnProtocols: readonly string[]) {
  return create(CommonTlsContextSchema, {
    tlsParams,
    tlsCertificateSdsSecretConfigs: [secretFromAgent(NAMES.secret.identity)],
    validationContextType: { case: 'validationContextSdsSecretConfig', value: secretFromAgent(validationSecret) },
    alpnProtocols: [...alpnProtocols]
  })
}

/**
 * The server's side: whoever connects proves a SPIFFE ID of a trust domain that the mesh accepts. Who of them may do
 * what is for policies to say.
 */
function serverSocket(tlsParams: TlsParameters, alpnProtocols: readonly string[]): TransportSocket {
  const context = create(DownstreamTlsContextSchema, {
    commonTlsContext: mutualTls(tlsParams, NAMES.secret.allTrust, alpnProtocols),
    requireClientCertificate: true,
    // A resumed session skips the certificate: it would outlive an expired one and a root that is no longer trusted.
    sessionTicketKeysType: { case: 'disableStatelessSessionResumption', value: true },
    disableStatefulSessionResumption: true
  })
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: anyPack(DownstreamTlsContextSchema, context) }
  })
}

/** A server's side by who comes, and by what the mesh allows clients without a proxy. */
export type ServerSockets = Readonly<Record<MinimumTls, TransportSocket>>

/**
 * Proxies of the mesh among `anyone` are not talked down where 1.2 is allowed: their own side (`clientSocket`) offers
 * 1.3 alone and ends the connection when it is answered with anything else. So there is one socket for them and for
 * others, wherever they cannot be told apart.
 */
function serverSockets(alpnProtocols: readonly string[]): Readonly<Record<'proxies' | 'anyone', ServerSockets>> {
  const newest = serverSocket(TLS_1_3, alpnProtocols)
  return {
    proxies: { '1.2': newest, '1.3': newest },
    anyone: { '1.2': serverSocket(TLS_1_2_AND_1_3, alpnProtocols), '1.3': newest }
  }
}

/** For the HTTP codec, which believes what ALPN agreed on and looks at the first bytes where it agreed on nothing. */
export const HTTP_SERVER_SOCKETS = serverSockets(['h2', 'http/1.1'])
export const TCP_SERVER_SOCKETS = serverSockets([])

/**
 * The client's side. ALPN is left empty on purpose: Envoy's connection pools then offer exactly the protocol that
 * they are going to speak, and TCP offers none.
 */
export function clientSocket(serverName: string, peersSecret: string): TransportSocket {
  const context = create(UpstreamTlsContextSchema, {
    commonTlsContext: mutualTls(TLS_1_3, peersSecret, []),
    sni: serverName,
    // As above: every handshake shows a certificate.
    maxSessionKeys: 0
  })
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: anyPack(UpstreamTlsContextSchema, context) }
  })
}

/**
 * As the kubelet probes over TLS (Kubernetes, pkg/probe/http): whatever certificate the application has, and without a
 * server name, for it asks an address. To the pod's own application alone. One difference remains: a certificate whose
 * key usage forbids signatures is refused by Envoy's library, and was not by the kubelet's.
 */
export const UNVERIFIED_SOCKET: TransportSocket = create(TransportSocketSchema, {
  name: 'envoy.transport_sockets.tls',
  configType: {
    case: 'typedConfig',
    value: anyPack(
      UpstreamTlsContextSchema,
      create(UpstreamTlsContextSchema, {
        commonTlsContext: {
          tlsParams: { tlsMinimumProtocolVersion: Protocol.TLSv1_2, tlsMaximumProtocolVersion: Protocol.TLSv1_3 }
        },
        maxSessionKeys: 0
      })
    )
  }
})

export const PLAINTEXT_SOCKET: TransportSocket = create(TransportSocketSchema, {
  name: 'envoy.transport_sockets.raw_buffer',
  configType: { case: 'typedConfig', value: anyPack(RawBufferSchema, create(RawBufferSchema)) }
})
