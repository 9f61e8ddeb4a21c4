import Table from 'cli-table3'
import colours from 'picocolors'

export interface Outcome {
  readonly step: string
  readonly expected: string
  readonly seen: string
  readonly ok: boolean
}

/** Prints the demo as it goes, and the table at its end. */
export class Report {
  readonly outcomes: Outcome[] = []
  readonly #print: (line: string) => void
  readonly #began = performance.now()

  constructor(print: (line: string) => void) {
    this.#print = print
  }

  title(text: string): void {
    this.#print(`\n${colours.bold(text)}`)
  }

  say(text: string): void {
    this.#print(`  ${text}`)
  }

  /** Notes what a step showed; `ok` is what decides the exit code. */
  conclude(outcome: Outcome): void {
    this.outcomes.push(outcome)
    const mark = outcome.ok ? colours.green('✓') : colours.red('✗')
    this.#print(`  ${mark} ${outcome.seen}`)
  }

  summary(): void {
    const table = new Table({
      head: ['', 'step', 'expected', 'seen'],
      colWidths: [4, 34, 40, 54],
      wordWrap: true,
      style: { head: [], border: [] }
    })
    for (const { step, expected, seen, ok } of this.outcomes) table.push([ok ? '✓' : '✗', step, expected, seen])
    this.#print(`\n${table.toString()}`)
    const wrong = this.outcomes.filter(outcome => !outcome.ok).length
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(0)
    this.#print(
      wrong === 0
        ? colours.green(`All ${this.outcomes.length} steps went as expected, in ${seconds} s.`)
        : colours.red(`${wrong} of ${this.outcomes.length} steps did not go as expected (${seconds} s).`)
    )
  }
}
