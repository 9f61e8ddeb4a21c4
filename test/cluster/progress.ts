const SILENT_MS = 1_000
const REPEAT_MS = 15_000

/** Tells how long things take: nothing of what is done within a second, a line at the begin and the end of the rest. */
export class Progress {
  readonly #print: (line: string) => void
  readonly #began = performance.now()

  /** @param print takes one line; the default writes to standard error */
  constructor(print: (line: string) => void = line => console.error(line)) {
    this.#print = print
  }

  say(text: string): void {
    this.#print(`cluster: ${text}`)
  }

  /**
   * Does `work`. While it takes longer than a second, says so, and every 15 s what it is at.
   *
   * @param detail asked for each of these lines
   */
  async step<T>(title: string, work: () => Promise<T>, detail: () => string = () => ''): Promise<T> {
    const began = performance.now()
    const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`
    let announced = false
    const announce = (): void => {
      announced = true
      this.say(`${title} …`)
    }
    const repeat = (): void => this.say(`${title} … ${[seconds(), detail()].filter(Boolean).join(', ')}`)
    const timers = [setTimeout(announce, SILENT_MS), setInterval(repeat, REPEAT_MS)]
    try {
      return await work()
    } finally {
      for (const timer of timers) clearTimeout(timer)
      if (announced) this.say(`${title}: ${seconds()}`)
    }
  }

  /** Seconds since this was made. */
  get seconds(): string {
    return ((performance.now() - this.#began) / 1000).toFixed(1)
  }
}
