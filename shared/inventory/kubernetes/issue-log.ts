import type { Logger } from '../../log/index.ts'
import { formatPath, type Issue } from '../issue.ts'

const MOST_REMEMBERED = 5_000

/** Logs what is wrong with an object once, until something else is, or nothing. */
export class IssueLog {
  readonly #log: Logger
  readonly #told = new Map<string, string>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** @param object what it is and which: `pods shop/a` */
  report(object: string, issues: readonly Issue[], usable: boolean): void {
    if (issues.length === 0) {
      if (this.#told.delete(object)) this.#log.info({ object }, 'an object of the cluster has no mistake any more')
      return
    }
    const problems = issues.map(({ path, message }) => `${formatPath(path)}: ${message}`)
    const text = problems.join('\n')
    if (this.#told.get(object) === text) return
    this.#told.set(object, text)
    // Nobody says which of them are gone: the oldest are forgotten, and told of again at most.
    for (const oldest of this.#told.keys())
      if (this.#told.size > MOST_REMEMBERED) this.#told.delete(oldest)
      else break
    const sentence = usable
      ? 'a part of an object of the cluster has no effect'
      : 'an object of the cluster is unusable'
    this.#log.warn({ object, problems }, sentence)
  }
}
