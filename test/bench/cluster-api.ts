import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { until } from '../../cli/local/index.ts'
import type { Cluster } from '../cluster/index.ts'
import type { AtEnd } from './benchmark.ts'

/** A change of an object, as a watch tells it, and when it was heard. */
export interface Change<T> {
  readonly type: string
  readonly object: T
  readonly heardAt: number
}

/**
 * The API server over HTTP: starting kubectl takes longer than what is measured. `kubectl proxy` leads into the
 * cluster's network.
 */
export class ClusterApi {
  readonly #socketPath: string

  private constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  static async open(cluster: Cluster, atEnd: AtEnd): Promise<ClusterApi> {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'))
    const socketPath = join(folder, 'api.sock')
    const { command, args, env } = cluster.kubectlInvocation(['proxy', `--unix-socket=${socketPath}`])
    const proxy = spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env } })
    const ended = once(proxy, 'close')
    atEnd(async () => {
      proxy.kill()
      await ended
      await rm(folder, { recursive: true })
    })
    const api = new ClusterApi(socketPath)
    await until('kubectl proxy to answer', () => api.call('GET', '/readyz').catch(() => undefined))
    return api
  }

  /**
   * @returns the body of the answer
   * @throws Error with what the API server said, when it refuses
   */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<string> {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: this.#socketPath, method, path, headers, agent: false }, response => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('error', reject)
        response.on('end', () => {
          if ((response.statusCode ?? 500) < 300) resolve(text)
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`))
        })
      })
      asked.on('error', reject)
      asked.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  /** Calls with every change of the objects of a list, from now on, until the benchmark ends. */
  async watch<T>(path: string, onChange: (change: Change<T>) => void, atEnd: AtEnd): Promise<void> {
    const asked = request({ socketPath: this.#socketPath, path: `${path}?watch=1`, agent: false })
    asked.on('error', () => undefined)
    atEnd(async () => asked.destroy())
    asked.end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const lines = createInterface({ input: response })
    lines.on('error', () => undefined)
    lines.on('line', line =>
      onChange({ ...(JSON.parse(line) as Omit<Change<T>, 'heardAt'>), heardAt: performance.now() })
    )
  }
}
