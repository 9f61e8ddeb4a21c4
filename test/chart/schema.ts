import type { Manifest } from './helm.ts'

/**
 * What is wrong with a value by the schema of a CustomResourceDefinition, as paths; rules of CEL are left out. A field
 * that the schema does not know is wrong too: the API server would drop it; unless the level
 * keeps what it does not know: then the webhook refuses it.
 *
 * Source: Kubernetes, "CustomResourceDefinition", structural schemas.
 */
export function schemaProblems(schema: Manifest, value: unknown, path = ''): readonly string[] {
  const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true
  if (keepsUnknown && schema['properties'] === undefined) return []
  if (typeOf(value) !== schema['type']) return [path]
  if (typeof value === 'number') return numberIsRight(schema, value) ? [] : [path]
  if (typeof value === 'string') return textIsRight(schema, value) ? [] : [path]
  if (Array.isArray(value)) {
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items } = schema
    if (value.length < minItems || value.length > maxItems) return [path]
    return value.flatMap((item, index) => schemaProblems(items, item, `${path}[${index}]`))
  }
  if (typeof value !== 'object' || value === null) return []
  const { properties = {}, required = [], additionalProperties } = schema
  const missing = required.filter((key: string) => !Object.hasOwn(value, key)).map((key: string) => `${path}.${key}`)
  const wrong = Object.entries(value).flatMap(([key, inner]) => {
    const known = Object.hasOwn(properties, key) ? properties[key] : additionalProperties
    return known === undefined
      ? keepsUnknown
        ? []
        : [`${path}.${key}`]
      : schemaProblems(known, inner, `${path}.${key}`)
  })
  return [...missing, ...wrong]
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (Number.isInteger(value)) return 'integer'
  return value === null ? 'null' : typeof value
}

const numberIsRight = ({ minimum, maximum }: Manifest, value: number): boolean =>
  value >= (minimum ?? Number.NEGATIVE_INFINITY) && value <= (maximum ?? Number.POSITIVE_INFINITY)

// Patterns are of RE2 there; those of ours mean the same here.
function textIsRight(
  { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, enum: values }: Manifest,
  text: string
) {
  if (text.length < minLength || text.length > maxLength) return false
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(text)) return false
  return values === undefined || values.includes(text)
}
