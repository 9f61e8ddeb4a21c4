// Reads values.yaml with its comments: every value has one, and the chart's README is made of them.

/** One key of values.yaml. */
export interface DocumentedValue {
  /** `webhook.resources.requests`. */
  readonly path: string
  /** The comment above it, as one line; empty without. */
  readonly description: string
  /** What is written behind the colon; empty for a key that has more keys below it. */
  readonly text: string
}

const KEY = /^(?<indent> *)(?<key>[A-Za-z]+):(?: (?<text>.*))?$/

/** All keys, in their order. Lists are written in the flow style, or below their key. */
export function documentedValues(yaml: string): readonly DocumentedValue[] {
  const found: DocumentedValue[] = []
  const above: string[] = []
  let comment: string[] = []
  for (const line of yaml.split('\n')) {
    const { indent, key, text } = KEY.exec(line)?.groups ?? {}
    const [, note] = /^ *# ?(.*)$/.exec(line) ?? []
    if (note !== undefined) {
      comment.push(note)
      continue
    }
    if (indent !== undefined && key !== undefined) {
      above.splice(indent.length / 2, above.length, key)
      found.push({ path: above.join('.'), description: comment.join(' '), text: text ?? '' })
    }
    comment = []
  }
  return found
}

/** The table of all values for the README. */
export function valuesTable(yaml: string, defaultOf: (path: string) => unknown): string {
  const rows = documentedValues(yaml).map(({ path, description }) => {
    const value = defaultOf(path)
    const isGroup =
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
    return `| \`${path}\` | ${isGroup ? '' : `\`${JSON.stringify(value)}\``} | ${description.replaceAll('|', '\\|')} |`
  })
  return ['| value | default | meaning |', '| --- | --- | --- |', ...rows].join('\n')
}
