import { Agent, get } from 'node:http'
import { text as textOf } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { failureOf } from './calls.ts'

export interface LoadTarget {
  readonly url: string
  /** Each request by a connection of its own, instead of those that are kept. */
  readonly newConnections: boolean
}

export interface LoadResult extends LoadTarget {
  readonly answered: number
  /** With the time of day, to be found in logs. */
  readonly failures: readonly string[]
}

const PAUSE_MS = 20

/** Requests one after the other until it is ended. Nothing is repeated. */
export class Load {
  readonly #target: LoadTarget
  readonly #agent: Agent
  readonly #failures: string[] = []
  readonly #done: Promise<void>
  #answered = 0
  #isOver = false

  constructor(target: LoadTarget) {
    this.#target = target
    this.#agent = new Agent({ keepAlive: !target.newConnections })
    this.#done = this.#run()
  }

  async end(): Promise<LoadResult> {
    this.#isOver = true
    await this.#done
    this.#agent.destroy()
    return { ...this.#target, answered: this.#answered, failures: this.#failures }
  }

  async #run(): Promise<void> {
    for (; !this.#isOver; await pause(PAUSE_MS))
      try {
        await this.#request()
        this.#answered++
      } catch (thrown) {
        this.#failures.push(`${new Date().toISOString()} ${failureOf(thrown)}`)
      }
  }

  #request(): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = get(this.#target.url, { agent: this.#agent, timeout: 10_000 }, async response => {
        const body = await textOf(response).catch(failureOf)
        if (response.statusCode === 200) resolve()
        else reject(new Error(`${response.statusCode} ${body.slice(0, 200)}`))
      })
      request.on('error', reject)
      request.once('timeout', () => request.destroy(new Error('no answer within 10 s')))
    })
  }
}
