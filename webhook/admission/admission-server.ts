import type { AddressInfo } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import fastify from 'fastify'
import { type Address, addressUnusable } from '../../shared/config/index.ts'
import type { Sensitive } from '../../shared/log/index.ts'
import { addReviewRoutes, BODY_LIMIT, type ReviewRoutesOptions } from './routes.ts'

/** The certificate to show, and word when there is another. */
export interface ServingCertificateSource {
  /** Both PEM; the certificate with its intermediates, leaf first. */
  current(): { readonly certificate: string; readonly privateKey: Sensitive<string> }
  subscribe(listener: () => void): () => void
}

export interface AdmissionServerOptions extends ReviewRoutesOptions {
  /** Where to listen; port 0 lets the system choose. */
  readonly address: Address
  readonly certificates: ServingCertificateSource
}

export interface AdmissionServer {
  readonly address: Address
  /** From now on every answer asks its caller to connect anew, which then finds another replica. */
  drain(): void
  /** Stops listening, answers what is under way, closes idle connections. */
  close(): Promise<void>
}

// The API server waits 5 s for an answer; who has not sent its question by then gets none.
const REQUEST_TIMEOUT_MS = 5_000

// Longer than the 90 s after which the API server closes an idle connection. Were it shorter, a connection could be
// closed here just as a question is sent on it, and the pod that was asked about would be refused.
const KEEP_ALIVE_MS = 120_000

/**
 * Opens the API server's door: HTTPS, TLS 1.3, one path per reviewer, POST only.
 *
 * @throws CountersignError ERR_ADDRESS_UNUSABLE naming the option
 */
export async function createAdmissionServer(options: AdmissionServerOptions): Promise<AdmissionServer> {
  const { address, certificates } = options
  const server = fastify({
    https: { ...tlsOptions(certificates), handshakeTimeout: REQUEST_TIMEOUT_MS },
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // What arrives while closing is answered: a refused question is a refused pod.
    return503OnClosing: false
  })
  let draining = false
  server.addHook('onSend', async (_request, reply) => {
    if (draining) reply.header('connection', 'close')
  })
  addReviewRoutes(server, options)
  const unsubscribe = certificates.subscribe(() => server.server.setSecureContext(tlsOptions(certificates)))
  try {
    await server.listen({ host: address.host, port: address.port })
  } catch (thrown) {
    unsubscribe()
    throw addressUnusable('listen-address', address, thrown)
  }
  const { port } = server.server.address() as AddressInfo
  return {
    address: Object.freeze({ host: address.host, port }),
    drain: () => {
      draining = true
    },
    async close() {
      unsubscribe()
      await server.close()
    }
  }
}

function tlsOptions(certificates: ServingCertificateSource): SecureContextOptions {
  const { certificate, privateKey } = certificates.current()
  return { cert: certificate, key: privateKey.reveal(), minVersion: 'TLSv1.3' }
}
