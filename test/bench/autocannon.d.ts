// autocannon has no types; this is what the benchmark uses of it.
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events'

  interface Options {
    readonly url: string
    /** Default: GET. */
    readonly method?: 'POST'
    readonly headers: Readonly<Record<string, string>>
    readonly body?: string
    readonly connections: number
    /** Seconds. */
    readonly duration: number
    /** An answer for which it returns false counts in `mismatches`. */
    readonly verifyBody?: (body: string) => boolean
  }

  interface Result {
    /** Seconds. */
    readonly duration: number
    readonly '2xx': number
    readonly non2xx: number
    readonly errors: number
    readonly mismatches: number
  }

  interface Instance extends PromiseLike<Result> {
    on(event: 'response', listener: (client: EventEmitter, status: number, bytes: number, ms: number) => void): this
  }

  export default function autocannon(options: Options): Instance
}
