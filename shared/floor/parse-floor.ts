import { parse } from 'yaml'
import { z } from 'zod'
import { DNS_LABEL } from '../names/index.ts'
import { didYouMean } from '../suggest/index.ts'
import { type Floor, type FloorRules, NO_RULES } from './floor.ts'

export type ParsedFloor =
  | { readonly ok: true; readonly floor: Floor }
  /** Each as a sentence that names the field. */
  | { readonly ok: false; readonly problems: readonly string[] }

const RULES = ['mutualTls', 'injection', 'endUserChecks'] as const satisfies readonly (keyof FloorRules)[]
const FIELDS = ['mesh', 'namespaces'] as const

const rule = z.boolean().exactOptional()
const rules = z.strictObject({ mutualTls: rule, injection: rule, endUserChecks: rule })
const schema = z.strictObject({ mesh: rules.optional(), namespaces: z.record(z.string(), rules).optional() })

/**
 * Reads a floor: `mesh` and `namespaces.<name>`, each with the rules `mutualTls`, `injection` and `endUserChecks`, true
 * or false. A rule that is absent is false. A namespace cannot have a rule false that the mesh has true.
 */
export function parseFloor(text: string): ParsedFloor {
  let object: unknown
  try {
    object = parse(text, { maxAliasCount: 0 })
  } catch (thrown) {
    return { ok: false, problems: [`not YAML: ${(thrown as Error).message.split('\n', 1)[0]}`] }
  }
  const result = schema.safeParse(object)
  if (!result.success) return { ok: false, problems: result.error.issues.flatMap(issue => describe(issue, object)) }
  const { mesh = {}, namespaces = {} } = result.data
  const names = Object.entries(namespaces)
  const problems = names.flatMap(([name, own]) => [
    ...(DNS_LABEL.test(name) ? [] : [`namespaces: expected names of namespaces, got ${JSON.stringify(name)}`]),
    ...RULES.filter(rule => own[rule] === false && mesh[rule] === true).map(
      rule => `namespaces.${name}.${rule}: expected true or nothing, got false: mesh.${rule} is true`
    )
  ])
  if (problems.length > 0) return { ok: false, problems }
  const complete = (given: Partial<FloorRules>): FloorRules => Object.freeze({ ...NO_RULES, ...given })
  const floor = { mesh: complete(mesh), namespaces: new Map(names.map(([name, own]) => [name, complete(own)])) }
  return { ok: true, floor: Object.freeze(floor) }
}

function describe(issue: z.core.$ZodIssue, object: unknown): string[] {
  const at = issue.path.map(String)
  const value = issue.path.reduce<unknown>((part, key) => (Object(part) as Record<PropertyKey, unknown>)[key], object)
  const got = value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 60)
  if (issue.code !== 'unrecognized_keys')
    return [`${at.join('.') || 'the file'}: expected ${expectedAt(at)}, got ${got}`]
  const known = at.length === 0 ? FIELDS : RULES
  return issue.keys.map(key =>
    at.length === 0 && key === 'floor'
      ? 'floor: not here, only in values of the chart: begin with mesh or namespaces'
      : `${[...at, key].join('.')}: unknown field${didYouMean(key, known)}; known are ${known.join(', ')}`
  )
}

function expectedAt(path: readonly string[]): string {
  if (path.length === 0) return `a mapping with ${FIELDS.join(' and ')}`
  const isRule = path.length === (path[0] === 'mesh' ? 2 : 3)
  if (isRule) return 'true or false'
  return path.length === 1 && path[0] === 'namespaces'
    ? 'a mapping by names of namespaces'
    : `a mapping with ${RULES.join(', ')}`
}
