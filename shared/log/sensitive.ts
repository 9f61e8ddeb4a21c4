import { inspect } from 'node:util'

const HIDDEN = '[redacted]'

/**
 * Holds a value that must never be printed: a token, a volume context. JSON, string conversion and inspection all
 * show a placeholder; `reveal()` is the only way to the value, so every use of it can be found.
 *
 * Keys need no wrapper: Node's `KeyObject` prints nothing of itself.
 */
export class Sensitive<T> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  reveal(): T {
    return this.#value
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [inspect.custom](): string {
    return HIDDEN
  }
}
