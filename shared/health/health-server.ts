import type { AddressInfo } from 'node:net'
import fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { type Address, addressUnusable } from '../config/index.ts'
import { CountersignError } from '../errors/index.ts'
import type { Readiness } from '../lifecycle/index.ts'
import type { Logger } from '../log/index.ts'

export interface HealthServerOptions {
  /** Where to listen; port 0 lets the system choose. */
  readonly address: Address
  /** The flag that sets `address`, without dashes, for the error when it cannot be used. Default: health-address. */
  readonly flag?: string
  readonly readiness: Readiness
  readonly registry: Registry
  readonly log: Logger
  /** False only when nothing but a restart helps: the kubelet then kills the program. Default: always true. */
  readonly live?: () => boolean
}

export interface HealthServer {
  /** Where it listens, the port that the system chose included. */
  readonly address: Address
  /** Ends every connection; idle ones at once. */
  close(): Promise<void>
}

const PATHS = ['/livez', '/readyz', '/metrics'] as const

// A probe or a scrape is one small request; whoever needs longer to send it is no prober.
const REQUEST_TIMEOUT_MS = 10_000

/**
 * Serves /livez and /readyz, each 200 or 503 with what is wrong as JSON, and /metrics.
 *
 * @throws CountersignError ERR_ADDRESS_UNUSABLE naming the option
 */
export async function createHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const { address, flag = 'health-address' } = options
  const server = fastify({ forceCloseConnections: true, requestTimeout: REQUEST_TIMEOUT_MS })
  addRoutes(server, options)
  try {
    await server.listen({ host: address.host, port: address.port })
  } catch (thrown) {
    throw addressUnusable(flag, address, thrown)
  }
  const { port } = server.server.address() as AddressInfo
  return { address: Object.freeze({ host: address.host, port }), close: () => server.close() }
}

function addRoutes(
  server: FastifyInstance,
  { readiness, registry, log, live = () => true }: HealthServerOptions
): void {
  server.get('/livez', (_request, reply) => {
    const alive = live()
    return reply.code(alive ? 200 : 503).send({ live: alive })
  })
  server.get('/readyz', (_request, reply) => {
    const { ready, open } = readiness
    return reply.code(ready ? 200 : 503).send({ ready, open })
  })
  server.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  server.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found', paths: PATHS }))
  server.setErrorHandler((thrown: FastifyError, request, reply) => {
    const status = thrown.statusCode ?? 500
    if (status < 500) return reply.code(status).send({ error: thrown.message })
    log.error({ err: CountersignError.from(thrown), path: request.url }, 'a health request failed')
    return reply.code(500).send({ error: 'internal error' })
  })
}
