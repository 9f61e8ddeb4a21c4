import type { Logger } from '../../log/index.ts'
import { formatPlace, formatProblem, type Problem } from './problem.ts'

/** Logs every problem once, however often it is reported, and says when a file has none left. */
export class ProblemLog {
  readonly #log: Logger
  #reported: ReadonlyMap<string, Problem> = new Map()

  constructor(log: Logger) {
    this.#log = log
  }

  /** @param problems all that there are now */
  report(problems: readonly Problem[]): void {
    const current = new Map(problems.map(problem => [formatProblem(problem), problem]))
    for (const [text, problem] of current) if (!this.#reported.has(text)) this.#warn(problem)
    const files = new Set(problems.map(({ file }) => file))
    const mended = new Set([...this.#reported.values()].map(({ file }) => file).filter(file => !files.has(file)))
    for (const file of mended) this.#log.info({ file }, 'a file of the folder has no problem any more')
    this.#reported = current
  }

  #warn(problem: Problem): void {
    const { severity, file, line, column, field, message } = problem
    const sentence =
      severity === 'error'
        ? 'a file of the folder has a mistake'
        : 'something in a file of the folder may not be what was meant'
    this.#log.warn({ place: formatPlace(problem), file, line, column, field, problem: message }, sentence)
  }
}
