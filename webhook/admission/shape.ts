import type { z } from 'zod'
import { CountersignError } from '../../shared/errors/index.ts'
import { formatPath } from '../../shared/policy/index.ts'

/**
 * Checks that a value has the shape that is read of it; further fields are as they are.
 *
 * @param at the path to the value, for messages
 * @throws CountersignError ERR_ADMISSION_REVIEW_INVALID naming every field, its value and what is expected
 */
export function checkShape<T>(schema: z.ZodType<T>, value: unknown, at: readonly string[]): T {
  const result = schema.safeParse(value, { error: sayExpected })
  if (result.success) return result.data
  const problems = result.error.issues.map(issue => {
    const path = [...at, ...issue.path.map(key => (typeof key === 'number' ? key : String(key)))]
    return path.length === 0 ? `body: ${issue.message}` : `${formatPath(path)}: ${issue.message}`
  })
  throw new CountersignError('ERR_ADMISSION_REVIEW_INVALID', problems.join('; '), { facts: { problems } })
}

// Values of pods are never shown: there may be secrets in them. Types are enough for who calls wrongly.
const sayExpected: z.core.$ZodErrorMap = issue => {
  if (issue.code === 'invalid_value') return `expected ${issue.values.join(' or ')}, got ${typeName(issue.input)}`
  if (issue.code === 'invalid_type') return `expected ${issue.expected}, got ${typeName(issue.input)}`
  return undefined
}

function typeName(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'string' && value.length <= 40 ? JSON.stringify(value) : typeof value
}
