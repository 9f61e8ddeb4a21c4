/** Leads when it is told to. */
export class FakeLeadership {
  isLeader = false
  #task: ((signal: AbortSignal) => Promise<void>) | undefined
  #term = new AbortController()
  #running = Promise.resolve()

  whileLeader(task: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
    this.#task = task
    return () => this.lose()
  }

  lead(): void {
    this.isLeader = true
    this.#term = new AbortController()
    this.#running = this.#task?.(this.#term.signal) ?? this.#running
  }

  async lose(): Promise<void> {
    this.isLeader = false
    this.#term.abort()
    await this.#running
  }
}
