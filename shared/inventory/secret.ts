import * as z from 'zod'
import { Sensitive } from '../log/index.ts'
import { mapping } from './field.ts'
import { type Issue, issuesOf, type Normalised, show } from './issue.ts'
import { metadata } from './metadata.ts'

/** A Secret of type Opaque. It is no part of an Inventory: it is for whoever asks for it by its name. */
export interface Secret {
  readonly namespace: string
  readonly name: string
  readonly data: ReadonlyMap<string, Sensitive<Buffer>>
}

/** The type of Secrets that people make for themselves; every other is somebody's with another purpose. */
export const OPAQUE = 'Opaque'

// Not judged by the schema: its messages show what they refuse.
const anything = z.unknown().optional()
const schema = mapping({ metadata, type: anything, data: anything, stringData: anything })

/**
 * Kubernetes, core/v1 Secret. One of another type is not read, and neither is an entry that cannot be: a folder may
 * hold Secrets that are nothing to us. Nothing that stands in place of a value is ever quoted.
 */
export function secretFromManifest(object: unknown): Normalised<Secret> {
  const parsed = schema.safeParse(object)
  if (!parsed.success) return { value: undefined, issues: issuesOf(parsed.error, object) }
  const { metadata, type, data, stringData } = parsed.data
  if (type !== undefined && type !== null && type !== '' && type !== OPAQUE) {
    const message = `expected ${OPAQUE}, got ${show(type)}: it has no effect here`
    return { value: undefined, issues: [], warnings: [{ path: ['type'], message }] }
  }
  const warnings: Issue[] = []
  // Those of stringData take the place of those of data.
  const entries = new Map([
    ...entriesOf('data', data, 'base64', warnings),
    ...entriesOf('stringData', stringData, 'utf8', warnings)
  ])
  const { namespace, name } = metadata
  return { value: Object.freeze({ namespace, name, data: entries }), issues: [], warnings }
}

type Encoding = 'base64' | 'utf8'

const ALLOWED: Readonly<Record<Encoding, string>> = { base64: 'text in base64', utf8: 'text' }
/** RFC 4648, section 4, padded; line breaks as tools make them. */
const BASE64 = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function entriesOf(
  field: string,
  value: unknown,
  encoding: Encoding,
  warnings: Issue[]
): readonly (readonly [string, Sensitive<Buffer>])[] {
  const leftOut = (path: Issue['path'], expected: string): [] => {
    warnings.push({ path, message: `expected ${expected}: it is left out` })
    return []
  }
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Array.isArray(value)) return leftOut([field], 'a mapping of text')
  return Object.entries(value).flatMap(([key, text]: [string, unknown]) => {
    const plain = typeof text === 'string' && encoding === 'base64' ? text.replace(/\s+/g, '') : text
    if (typeof plain !== 'string' || (encoding === 'base64' && !BASE64.test(plain)))
      return leftOut([field, key], ALLOWED[encoding])
    return [[key, new Sensitive(Buffer.from(plain, encoding))] as const]
  })
}
