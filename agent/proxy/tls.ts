import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
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

// Both ends are ours, so there is nothing older to be compatible with. The first group resists an attacker who
// records now and has a quantum computer later (draft-ietf-tls-ecdhe-mlkem).
const PARAMETERS: TlsParameters = create(TlsParametersSchema, {
  tlsMinimumProtocolVersion: Protocol.TLSv1_3,
  tlsMaximumProtocolVersion: Protocol.TLSv1_3,
  ecdhCurves: ['X25519MLKEM768', 'X25519', 'P-256']
})

function mutualTls(validationSecret: string, alpnProtocols: readonly string[]) {
  return create(CommonTlsContextSchema, {
    tlsParams: PARAMETERS,
    tlsCertificateSdsSecretConfigs: [secretFromAgent(NAMES.secret.identity)],
    validationContextType: { case: 'validationContextSdsSecretConfig', value: secretFromAgent(validationSecret) },
    alpnProtocols: [...alpnProtocols]
  })
}

/**
 * The server's side: whoever connects proves a SPIFFE ID of a trust domain that the mesh accepts. Who of them may do
 * what is for policies to say.
 */
function serverSocket(alpnProtocols: readonly string[]): TransportSocket {
  const context = create(DownstreamTlsContextSchema, {
    commonTlsContext: mutualTls(NAMES.secret.allTrust, alpnProtocols),
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

/** For the HTTP codec, which believes what ALPN agreed on and looks at the first bytes where it agreed on nothing. */
export const HTTP_SERVER_SOCKET = serverSocket(['h2', 'http/1.1'])
export const TCP_SERVER_SOCKET = serverSocket([])

/**
 * The client's side. ALPN is left empty on purpose: Envoy's connection pools then offer exactly the protocol that
 * they are going to speak, and TCP offers none.
 */
export function clientSocket(serverName: string, peersSecret: string): TransportSocket {
  const context = create(UpstreamTlsContextSchema, {
    commonTlsContext: mutualTls(peersSecret, []),
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
