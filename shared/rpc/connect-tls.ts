import { createSecureContext, type DetailedPeerCertificate, type PeerCertificate, type SecureContext } from 'node:tls'
import { type ChannelOptions, Client, credentials } from '@grpc/grpc-js'
import { CountersignError } from '../errors/index.ts'
import { CHANNEL_OPTIONS } from './options.ts'
import { peerChain } from './peer-chain.ts'

export interface TlsClientOptions {
  /** `host:port` of the server. */
  readonly address: string
  /** Roots that the server's certificate must lead to, PEM. Nothing else is trusted. */
  readonly roots: string
  /** The client's own key and certificate followed by its intermediates, PEM; absent: none is presented. */
  readonly identity?: { readonly key: string; readonly cert: string } | undefined
  /**
   * Whether the server is the one it should be, from its certificates: DER, its own first, without the root. Throws if
   * not. The host name in `address` is not compared with anything: what counts is the SPIFFE ID.
   */
  readonly verifyServer: (chain: readonly Buffer[]) => void
  readonly channelOptions?: ChannelOptions
}

// Sent as the server name in the handshake, where an IP address is not allowed (RFC 6066, section 3); nobody reads it.
const SERVER_NAME = 'authority.countersign.internal'

/**
 * A gRPC client over TLS 1.3, with mutual authentication if it has an identity. Roots and identity are those of the
 * moment: when they change, make another client and close this one.
 *
 * @throws CountersignError ERR_CERTIFICATE_INVALID when roots, key or certificate are not usable
 */
export function connectTls(options: TlsClientOptions): Client {
  const channelCredentials = credentials.createFromSecureContext(contextOf(options), {
    checkServerIdentity: (_name, certificate) => refusalOf(certificate, options.verifyServer)
  })
  return new Client(options.address, channelCredentials, {
    ...CHANNEL_OPTIONS,
    'grpc.ssl_target_name_override': SERVER_NAME,
    ...options.channelOptions
  })
}

function contextOf({ roots, identity }: TlsClientOptions): SecureContext {
  // Without roots Node.js would fall back to those of the public web.
  if (!roots.includes('-----BEGIN CERTIFICATE-----'))
    throw new CountersignError('ERR_CERTIFICATE_INVALID', 'roots have no certificate, expected at least one')
  try {
    return createSecureContext({ ca: roots, minVersion: 'TLSv1.3', ...identity })
  } catch (thrown) {
    throw CountersignError.from(thrown, 'ERR_CERTIFICATE_INVALID', 'roots, key or certificate are not usable')
  }
}

// Called by Node.js after the chain has verified against the roots, and in place of its comparison of host names.
function refusalOf(certificate: PeerCertificate, verifyServer: TlsClientOptions['verifyServer']): Error | undefined {
  try {
    verifyServer(peerChain(certificate as DetailedPeerCertificate))
    return undefined
  } catch (thrown) {
    return CountersignError.from(thrown, 'ERR_CERTIFICATE_INVALID')
  }
}
