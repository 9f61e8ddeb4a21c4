import { CountersignError } from '../errors/index.ts'
import { didYouMean } from '../suggest/index.ts'
import type { Option, OptionsOf, OptionTable } from './option.ts'

/** The environment of a process, as Node.js gives it. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Options out of a command line and an environment. A flag beats the variable, the variable beats the default; a
 * variable that is set to nothing counts as not set.
 *
 * @param argv the arguments after the program's own name: `--flag value`, `--flag=value`, and for booleans `--flag`
 * @throws CountersignError ERR_OPTION_INVALID naming everything that is wrong; `facts.problems` holds it one by one
 */
export function parseOptions<Table extends OptionTable>(
  table: Table,
  argv: readonly string[],
  env: Environment
): OptionsOf<Table> {
  const { given, problems } = readFlags(table, argv)
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(table)) {
    const source = sourceOf(option, given, env)
    if (source === undefined) {
      const required = option.optional !== true && !given.has(option.flag)
      if (required)
        problems.push(
          `--${option.flag}: required, and neither it nor ${option.env} is given: expected ${option.parser.allowed}`
        )
      continue
    }
    const value = option.parser.parse(source.text)
    if (value === undefined)
      problems.push(
        `${source.label} ${JSON.stringify(source.text)}: expected ${option.parser.allowed}${didYouMean(source.text, option.parser.words ?? [])}`
      )
    values[name] = value
  }
  if (problems.length > 0) throw optionsInvalid(problems)
  return Object.freeze(values) as OptionsOf<Table>
}

/** What to throw for options that are wrong, whether one by one or only together. */
export function optionsInvalid(problems: readonly string[]): CountersignError {
  return new CountersignError('ERR_OPTION_INVALID', problems.join('; '), { facts: { problems } })
}

interface Flags {
  /** Text by flag; `undefined` where it was given wrongly, which has been reported. */
  readonly given: ReadonlyMap<string, string | undefined>
  readonly problems: string[]
}

function readFlags(table: OptionTable, argv: readonly string[]): Flags {
  const options = new Map(Object.values(table).map(option => [option.flag, option]))
  const given = new Map<string, string | undefined>()
  const problems: string[] = []
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? ''
    const [, flag, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? []
    if (flag === undefined) {
      problems.push(`${JSON.stringify(argument)}: unexpected argument; options start with --`)
      continue
    }
    const option = options.get(flag)
    const next = inline ?? (option?.parser.flagAlone ? 'true' : argv[index + 1])
    // The value of an unknown option is its own, unless it looks like the next option.
    const consumed = inline === undefined && option?.parser.flagAlone !== true && next?.startsWith('--') === false
    if (consumed) index++
    const value = inline !== undefined || consumed || option?.parser.flagAlone ? next : undefined
    if (option === undefined) problems.push(`--${flag}: unknown option${didYouMean(flag, options.keys())}`)
    else if (given.has(flag)) problems.push(`--${flag}: given more than once`)
    else if (value === undefined) problems.push(`--${flag}: needs a value: expected ${option.parser.allowed}`)
    if (option !== undefined) given.set(flag, value)
  }
  return { given, problems }
}

interface Source {
  readonly label: string
  readonly text: string
}

function sourceOf(option: Option<unknown>, given: Flags['given'], env: Environment): Source | undefined {
  const flag = given.get(option.flag)
  if (flag !== undefined) return { label: `--${option.flag}`, text: flag }
  if (given.has(option.flag)) return undefined
  const variable = env[option.env]
  if (variable !== undefined && variable !== '') return { label: option.env, text: variable }
  return option.default === undefined ? undefined : { label: `--${option.flag}, default`, text: option.default }
}
