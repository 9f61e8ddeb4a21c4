import type { Parser } from './parser.ts'

/** One option of a program, given as a flag or by an environment variable. */
export interface Option<T> {
  /** The flag without its dashes, for example `listen-address`. */
  readonly flag: string
  readonly env: `COUNTERSIGN_${string}`
  /** The heading under which the help lists it. */
  readonly group: string
  /** What it means, in which unit, and what follows from it. The help adds the default and the variable. */
  readonly description: string
  readonly parser: Parser<T>
  /** As a user would write it. Without a default, and not optional, the option is required. */
  readonly default?: string
  /** It may be left out: then it is `undefined`. */
  readonly optional?: true
}

/** The options of a program by the name that they have in its code. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>

/** The typed object that a table describes. */
export type OptionsOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends { parser: Parser<infer T> }
    ? Table[Name] extends { optional: true }
      ? T | undefined
      : T
    : never
}

/**
 * Declares a table, keeping the type of each option.
 *
 * @throws TypeError when two options share a flag or a variable, or a default is not allowed by its own parser
 */
export function defineOptions<const Table extends OptionTable>(table: Table): Table {
  const taken = new Set<string>()
  for (const [name, option] of Object.entries(table)) {
    for (const label of [`--${option.flag}`, option.env]) {
      if (taken.has(label)) throw new TypeError(`option ${name}: ${label} is taken`)
      taken.add(label)
    }
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(option.flag))
      throw new TypeError(`option ${name}: bad flag ${option.flag}`)
    if (option.default !== undefined && option.optional) throw new TypeError(`option ${name}: optional, with a default`)
    // A default that names something on disk need not exist where the table is declared.
    const checked = option.default !== undefined && option.parser.looksOutside !== true
    if (checked && option.parser.parse(option.default) === undefined)
      throw new TypeError(`option ${name}: default ${option.default} is not ${option.parser.allowed}`)
  }
  return table
}
