/** What the application saw of whoever called it. */
export interface Answer {
  /** What the caller said. */
  readonly echo: string
  /** The header x-forwarded-client-cert; null where there is none, and where bytes have no headers. */
  readonly clientCertificate: string | null
  /** The address that the connection came from. */
  readonly source: string
}

/** The answers of a conversation come in the order of what was said; who waits for one learns of its end as well. */
export class Answers {
  readonly #waiting: { resolve(answer: Answer): void; reject(error: Error): void }[] = []
  #ended: Error | undefined

  next(): Promise<Answer> {
    const ended = this.#ended
    if (ended !== undefined) return Promise.reject(ended)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  came(text: string): void {
    this.#waiting.shift()?.resolve(JSON.parse(text) as Answer)
  }

  end(error: Error): void {
    this.#ended ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended)
  }
}
