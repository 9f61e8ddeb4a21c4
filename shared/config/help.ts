import type { Option, OptionTable } from './option.ts'

const WIDTH = 100
const INDENT = 6

/** The help of a program: every option by group, with its meaning, its default and its variable. */
export function helpText(program: string, description: string, table: OptionTable): string {
  const groups = Map.groupBy(Object.values(table), option => option.group)
  const sections = [...groups].map(([group, options]) => [group, ...options.map(describe)].join('\n'))
  return `${[
    wrap(`${program}: ${description}`, 0),
    `Usage: ${program} [--option value]...`,
    wrap(
      'Every option can also be given by the environment variable that its text names. A flag beats the variable, the variable beats the default.',
      0
    ),
    ...sections,
    'Help\n  --help\n      Prints this text and exits.'
  ].join('\n\n')}\n`
}

function describe(option: Option<unknown>): string {
  const value = option.parser.flagAlone ? `[=${option.parser.placeholder}]` : ` <${option.parser.placeholder}>`
  const facts = `${defaultOf(option)} Environment: ${option.env}.`
  const body = `${option.description} Expected: ${option.parser.allowed}. ${facts}`
  return `  --${option.flag}${value}\n${wrap(body, INDENT)}`
}

function defaultOf(option: Option<unknown>): string {
  if (option.optional) return 'Optional.'
  if (option.default === undefined) return 'Required.'
  return option.default === '' ? 'Default: none.' : `Default: ${option.default}.`
}

/** Breaks a text at blanks so that no line is longer than the width, unless a single word is. */
function wrap(text: string, indent: number): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].map(one => ' '.repeat(indent) + one).join('\n')
}
