// The application of the examples: answers every HTTP request with what it was told about the caller. It knows
// nothing of certificates, tokens or meshes; whatever it says of identities, its proxy put into the request.
//
// HOST and PORT say where it listens (0.0.0.0 and 8080), POD_NAME what it calls itself.

import { createServer } from 'node:http'

// biome-ignore lint/style/noProcessEnv: an application of a user, outside the rooms of Countersign
const { HOST = '0.0.0.0', PORT = '8080', POD_NAME = 'echo' } = process.env

const server = createServer((request, response) => {
  const clientCertificate = request.headers['x-forwarded-client-cert'] ?? null
  // The end user, where a policy has the proxy say so in this header.
  const user = request.headers['x-user'] ?? null
  const seen = { pod: POD_NAME, method: request.method, path: request.url, clientCertificate, user }
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify(seen)}\n`)
})

// Longer than any pause between requests: a proxy that keeps connections must not meet one that is just closing.
server.keepAliveTimeout = 120_000
server.listen(Number(PORT), HOST, () => console.log(`listening on ${HOST}:${PORT}`))
process.once('SIGTERM', () => {
  server.close()
  server.closeIdleConnections()
})
