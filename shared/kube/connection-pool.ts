import { createHash } from 'node:crypto'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Credentials } from './access.ts'

const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 30_000 } as const

/** Connections that are kept. They are made anew when the certificates behind them change: `ca.crt` is rotated. */
export class ConnectionPool {
  readonly #secure: boolean
  #agent: HttpAgent | undefined
  #fingerprint = ''

  constructor(server: URL) {
    this.#secure = server.protocol === 'https:'
  }

  agentFor({ tls }: Credentials): HttpAgent {
    const fingerprint = fingerprintOf(tls)
    if (this.#agent !== undefined && fingerprint === this.#fingerprint) return this.#agent
    if (this.#agent !== undefined) retire(this.#agent)
    this.#agent = this.#secure ? new HttpsAgent({ ...KEEP_ALIVE, ...tls }) : new HttpAgent(KEEP_ALIVE)
    this.#fingerprint = fingerprint
    return this.#agent
  }

  close(): void {
    this.#agent?.destroy()
  }
}

/** What is under way is finished; nothing is kept afterwards. */
function retire(agent: HttpAgent): void {
  agent.maxFreeSockets = 0
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
}

function fingerprintOf(tls: Credentials['tls']): string {
  const hash = createHash('sha256')
  for (const [name, value] of Object.entries(tls)) hash.update(`${name} ${String(value).length} ${String(value)}\n`)
  return hash.digest('hex')
}
