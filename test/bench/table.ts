import type { Figures } from './benchmark.ts'

const GAP = '   '

/** A table in plain text below its heading: names to the left, figures to the right, no line at its end. */
export function formatTable(heading: string, { columns, rows }: Figures): string {
  const lines = [['', ...columns], ...rows.map(({ name, cells }) => [name, ...cells])]
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0))) ?? []
  const aligned = lines.map(line =>
    widths.map((width, column) => pad(line[column] ?? '', width, column === 0 ? 'left' : 'right')).join(GAP)
  )
  return [heading, ...aligned.map(line => `  ${line}`.trimEnd())].join('\n')
}

function pad(text: string, width: number, side: 'left' | 'right'): string {
  return side === 'left' ? text.padEnd(width) : text.padStart(width)
}

/** A figure with as many digits as can be meant, about three: `12,345`, `123`, `12.3`, `1.23`. */
export function formatFigure(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
