import { type Document, LineCounter, parseAllDocuments, type YAMLError } from 'yaml'
import { type FieldPath, isUnreadable, show } from '../issue.ts'
import type { Declaration } from './declaration.ts'
import { kindOf, readKind } from './kind.ts'
import { locate, positionAt } from './locate.ts'
import { type Place, type Problem, problemAt } from './problem.ts'

export interface ParsedFile {
  /** Whatever is good in it, even beside mistakes. */
  readonly declarations: readonly Declaration[]
  readonly problems: readonly Problem[]
}

/**
 * Reads a file of Kubernetes manifests: YAML or JSON, any number of documents, `kind: List` too. Fields that
 * Countersign does not read may hold anything. Never throws, whatever the text.
 *
 * Messages never quote the text itself, only values of fields that are read: it may hold a Secret.
 */
export function parseManifests(file: string, text: string): ParsedFile {
  const findings = findingsOf(file, text)
  return {
    declarations: findings.flatMap(finding => ('declaration' in finding ? [finding.declaration] : [])),
    problems: findings.flatMap(finding => ('problem' in finding ? [finding.problem] : []))
  }
}

type Finding = { readonly declaration: Declaration } | { readonly problem: Problem }

function findingsOf(file: string, text: string): readonly Finding[] {
  const lines = new LineCounter()
  try {
    // Merge keys, because the YAML reader of Kubernetes knows them; no pretty errors, because those quote the text.
    const options = { lineCounter: lines, prettyErrors: false, merge: true, logLevel: 'error' } as const
    return parseAllDocuments(text, options).flatMap(document => new Reader(file, document as Document, lines).read())
  } catch (thrown) {
    return [{ problem: problemAt('error', { file }, [], `cannot be read: ${reasonOf(thrown)}`) }]
  }
}

// Aliases may multiply a text without bound; real manifests stay far below this.
const MOST_ALIASES = 100

/** Reads one document of a file. */
class Reader {
  readonly #file: string
  readonly #document: Document
  readonly #lines: LineCounter

  constructor(file: string, document: Document, lines: LineCounter) {
    this.#file = file
    this.#document = document
    this.#lines = lines
  }

  read(): readonly Finding[] {
    const [error] = this.#document.errors
    // One error per document: those that follow are mostly its consequences.
    if (error !== undefined) return [this.#syntax('error', error)]
    const warnings = this.#document.warnings.map(warning => this.#syntax('warning', warning))
    try {
      return [...warnings, ...this.#readObject(this.#document.toJS({ maxAliasCount: MOST_ALIASES }), [])]
    } catch (thrown) {
      return [this.#problem('error', [], `cannot be read: ${reasonOf(thrown)}`)]
    }
  }

  #readObject(object: unknown, at: FieldPath): readonly Finding[] {
    if (object === null || object === undefined) return []
    if (typeof object !== 'object' || Array.isArray(object))
      return [this.#problem('error', at, 'expected a Kubernetes object: a mapping with apiVersion, kind and metadata')]
    const { apiVersion, kind, items } = object as Record<string, unknown>
    if (typeof apiVersion !== 'string') return [this.#notAString([...at, 'apiVersion'], apiVersion)]
    if (typeof kind !== 'string') return [this.#notAString([...at, 'kind'], kind)]
    if (kind === 'List' && apiVersion === 'v1') return this.#readList(items, at)
    const known = kindOf(apiVersion, kind)
    if (known === undefined) {
      const message = `${show(kind)} of ${show(apiVersion)} is not read by Countersign: it has no effect here`
      return [this.#problem('warning', [...at, 'kind'], message)]
    }
    const { value, issues, warnings = [] } = readKind(known, object)
    const problems = [
      ...issues.map(({ path, message }) => this.#problem('error', [...at, ...path], message)),
      ...warnings.map(({ path, message }) => this.#problem('warning', [...at, ...path], message))
    ]
    if (value === undefined) return problems
    const place = this.#place([...at, 'metadata', 'name'])
    const declared = isUnreadable(value) ? 'UnreadablePolicy' : known
    return [...problems, { declaration: { kind: declared, value, place } as Declaration }]
  }

  #readList(items: unknown, at: FieldPath): readonly Finding[] {
    // A list in a list would allow one that contains itself.
    if (at.length > 0) return [this.#problem('error', [...at, 'kind'], 'expected an object, got a List in a List')]
    if (!Array.isArray(items)) return [this.#problem('error', ['items'], 'required: expected a list')]
    return items.flatMap((item, index) => this.#readObject(item, ['items', index]))
  }

  #notAString(path: FieldPath, value: unknown): Finding {
    const got =
      value === undefined || value === null ? 'required: expected a string' : `expected a string, got ${show(value)}`
    return this.#problem('error', path, got)
  }

  #problem(severity: Problem['severity'], path: FieldPath, message: string): Finding {
    return { problem: problemAt(severity, this.#place(path), path, message) }
  }

  #syntax(severity: Problem['severity'], { code, message, pos }: YAMLError): Finding {
    const place = { file: this.#file, ...positionAt(this.#lines, pos[0]) }
    return { problem: problemAt(severity, place, [], SYNTAX[code] ?? decapitalise(message)) }
  }

  #place(path: FieldPath): Place {
    return { file: this.#file, ...locate(this.#document, this.#lines, path) }
  }
}

const TOO_DEEP = 'it is nested too deeply'

const SYNTAX: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  DUPLICATE_KEY: 'expected every key once in a mapping, got this one again',
  RESOURCE_EXHAUSTION: `cannot be read: ${TOO_DEEP}`
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof RangeError) return TOO_DEEP
  return decapitalise(thrown instanceof Error ? thrown.message : String(thrown))
}

function decapitalise(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1)
}
