import type { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'

/**
 * The certificate that a server presents, seen as anybody on the network would see it: a handshake without a client
 * certificate. The server refuses us in the end; in TLS 1.3 its own certificate has come by then (RFC 8446, section 2).
 */
export function servedCertificate(host: string, port: number): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1']
    })
    socket.setTimeout(5_000, () => socket.destroy(new Error(`no handshake with ${host}:${port} within 5 s`)))
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate()
      socket.destroy()
      if (certificate === undefined) reject(new Error(`${host}:${port} presented no certificate`))
      else resolve(certificate)
    })
    socket.on('error', reject)
  })
}
