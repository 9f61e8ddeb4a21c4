import { Agent } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { type Call, call } from './http.ts'

export interface Failure {
  readonly at: number
  readonly reason: string
}

/**
 * Calls one URL steadily over kept-alive connections and counts. A request is lost when it gets no answer or any
 * status but 200; nothing is tried again.
 */
export class Load {
  readonly failures: Failure[] = []
  #answered = 0
  #running = true
  #connections = 0
  readonly #workers: Promise<void>[]

  /** @param workers - how many callers, each with one connection and a pause of `pauseMs` between its requests */
  constructor(what: Omit<Call, 'agent'>, workers = 4, pauseMs = 20) {
    this.#workers = Array.from({ length: workers }, () => this.#work(what, pauseMs))
  }

  get answered(): number {
    return this.#answered
  }

  /** Connections that were opened: as many as there are workers, when none was ever dropped. */
  get connections(): number {
    return this.#connections
  }

  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#workers)
  }

  async #work(what: Omit<Call, 'agent'>, pauseMs: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const connect = agent.createConnection.bind(agent)
    agent.createConnection = (...args) => {
      this.#connections++
      return connect(...args)
    }
    while (this.#running) {
      try {
        const { status, body } = await call({ ...what, agent })
        if (status === 200) this.#answered++
        else this.failures.push({ at: Date.now(), reason: `status ${status}: ${body.slice(0, 200)}` })
      } catch (thrown) {
        this.failures.push({ at: Date.now(), reason: thrown instanceof Error ? thrown.message : String(thrown) })
      }
      await pause(pauseMs)
    }
    agent.destroy()
  }
}
