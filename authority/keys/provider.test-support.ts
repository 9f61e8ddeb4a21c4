import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import {
  createRoot,
  generateKeyPair,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  toPem
} from '../../shared/x509/index.ts'

const HOUR_MS = 3_600_000

export interface TestServer {
  readonly port: number
  /** Connections that are open now. */
  connections(): Promise<number>
  close(): Promise<void>
}

/** An HTTP server on 127.0.0.1, with TLS where it has a certificate. */
export async function serve(listener: RequestListener, tls?: { key: string; cert: string }): Promise<TestServer> {
  const server: Server = tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener)
  server.on('tlsClientError', () => {})
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => new Promise(resolve => server.getConnections((_error, count) => resolve(count))),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

/** A root that nobody knows, and a certificate of it for these names. */
export async function certificateFor(...dnsNames: string[]) {
  const times = { notBefore: Date.now() - HOUR_MS, notAfter: Date.now() + HOUR_MS }
  const root = await createRoot({ commonName: 'test', ...times })
  const { publicKey, privateKey } = await generateKeyPair()
  const certificate = signCertificate({ dnsNames, usage: 'workload', ...times }, spkiOf(publicKey), root)
  return { ca: toPem([root.certificate]), key: privateKeyToPem(privateKey), cert: toPem([certificate]) }
}
