import { type FieldPath, formatPath } from '../issue.ts'

/** Where in a file: line and column count from 1, absent when the whole file is meant. */
export interface Place {
  readonly file: string
  readonly line?: number
  readonly column?: number
}

/**
 * Something in the folder that is not as it should be. An `error` holds its file back, or its object where files
 * contradict each other; a `warning` is about something that has no effect, or perhaps not
 * the one that was meant.
 */
export interface Problem extends Place {
  readonly severity: 'error' | 'warning'
  /** The field, as in `spec.ports[0].port`; absent when no field is meant. */
  readonly field?: string
  readonly message: string
}

export function problemAt(severity: Problem['severity'], place: Place, path: FieldPath, message: string): Problem {
  const field = formatPath(path)
  return Object.freeze({ severity, ...place, ...(field === '' ? {} : { field }), message })
}

/** `mesh/orders.yaml:12:9`, as compilers write it and editors follow it. */
export function formatPlace({ file, line, column }: Place): string {
  return line === undefined ? file : `${file}:${line}:${column ?? 1}`
}

/** `mesh/orders.yaml:12:9: spec.ports[0].port: expected a whole number from 1 to 65535, got 0` */
export function formatProblem(problem: Problem): string {
  const field = problem.field === undefined ? '' : `${problem.field}: `
  return `${formatPlace(problem)}: ${field}${problem.message}`
}
