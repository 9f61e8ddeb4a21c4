import { record } from '../../shared/kube/index.ts'

type Fields = Readonly<Record<string, unknown>>

/** Where fields are dropped that nobody misses: the API server judges metadata itself, controllers write a status. */
const OTHERS: ReadonlySet<string> = new Set(['metadata', 'status'])
const KEEPS = 'x-kubernetes-preserve-unknown-fields'

/**
 * The levels of a CustomResourceDefinition at which the API server drops fields that the schema does not know, as paths
 * with the version in front: `v1: spec.jwtRules[]`. Empty: it keeps every field of what an author writes.
 *
 * Source: Kubernetes, "CustomResourceDefinition", field pruning; a level keeps unknown fields only where it says so.
 */
export function prunedLevels(definition: unknown): readonly string[] {
  const versions = record(record(definition)?.['spec'])?.['versions']
  if (!Array.isArray(versions)) return ['no version']
  return versions.flatMap(entry => {
    const version = record(entry)
    if (version === undefined || version['served'] === false) return []
    const schema = record(record(version['schema'])?.['openAPIV3Schema'])
    const name = String(version['name'])
    return schema === undefined ? [`${name}: no schema`] : levelsOf(schema, '').map(path => `${name}: ${path}`)
  })
}

function levelsOf(schema: Fields, path: string): readonly string[] {
  const items = record(schema['items'])
  if (items !== undefined) return levelsOf(items, `${path}[]`)
  const map = record(schema['additionalProperties'])
  if (map !== undefined) return levelsOf(map, `${path}.*`)
  const properties = record(schema['properties'])
  const isObject = schema['type'] === 'object' || properties !== undefined
  const own = isObject && schema[KEEPS] !== true ? [path === '' ? 'the object itself' : path] : []
  const inner = Object.entries(properties ?? {}).flatMap(([key, value]) => {
    if (path === '' && OTHERS.has(key)) return []
    const child = record(value)
    return child === undefined ? [] : levelsOf(child, path === '' ? key : `${path}.${key}`)
  })
  return [...own, ...inner]
}
