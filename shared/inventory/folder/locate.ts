import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter, type Node } from 'yaml'
import type { FieldPath } from '../issue.ts'

export interface Position {
  readonly line: number
  readonly column: number
}

/**
 * Where the field at `path` is written. For a field that is not there: where the innermost part of the path is that
 * exists.
 */
export function locate(document: Document, lines: LineCounter, path: FieldPath): Position {
  let node: Node | null = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const key of path) {
    const child = childOf(isAlias(node) ? (node.resolve(document) ?? null) : node, key)
    if (child === undefined) break
    offset = child.offset ?? offset
    node = child.node
  }
  return positionAt(lines, offset)
}

export function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  // The line counter says line 0 for a position before its first line: an empty text.
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

interface Child {
  readonly node: Node | null
  readonly offset: number | undefined
}

function childOf(node: Node | null, key: string | number): Child | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(key)]
    return isNode(item) ? { node: item, offset: item.range?.[0] } : undefined
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find(({ key: name }) => isScalar(name) && String(name.value) === String(key))
  if (pair === undefined) return undefined
  // A value that is not written has no place of its own: the key's is the nearest.
  if (isNode(pair.value) && !isEmpty(pair.value)) return { node: pair.value, offset: pair.value.range?.[0] }
  return { node: null, offset: (pair.key as Node).range?.[0] }
}

function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null && node.range?.[0] === node.range?.[1]
}
