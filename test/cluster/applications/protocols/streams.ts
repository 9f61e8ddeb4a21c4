import { setTimeout as pause } from 'node:timers/promises'
import { failureOf } from './calls.ts'
import { type Conversation, expectEcho, type KindName } from './kind.ts'
import { KINDS } from './kinds.ts'

/** Where a long conversation is held. */
export interface StreamTarget {
  readonly kind: KindName
  readonly address: string
}

/** How it went. */
export interface StreamResult extends StreamTarget {
  readonly exchanges: number
  readonly failure?: string
}

const PAUSE_MS = 100

/** A conversation that goes on until it is ended, or fails. */
export class Stream {
  readonly #target: StreamTarget
  readonly #conversation: Conversation
  readonly #done: Promise<void>
  #exchanges = 0
  #isOver = false
  #failure: string | undefined

  private constructor(target: StreamTarget, conversation: Conversation) {
    this.#target = target
    this.#conversation = conversation
    this.#done = this.#talk().catch(thrown => {
      this.#failure = failureOf(thrown)
    })
  }

  static async open(target: StreamTarget): Promise<Stream> {
    const { open, port } = KINDS[target.kind]
    if (open === undefined) throw new TypeError(`${target.kind} has no long conversations`)
    return new Stream(target, await open(target.address, port))
  }

  async end(): Promise<StreamResult> {
    this.#isOver = true
    await this.#done
    this.#conversation.close()
    const failure = this.#failure
    return { ...this.#target, exchanges: this.#exchanges, ...(failure === undefined ? {} : { failure }) }
  }

  async #talk(): Promise<void> {
    for (; !this.#isOver; await pause(PAUSE_MS)) {
      const text = String(this.#exchanges)
      expectEcho(await this.#conversation.exchange(text), text)
      this.#exchanges++
    }
  }
}
