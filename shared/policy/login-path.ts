import { pathPatternProblem } from './path-pattern.ts'
import { show } from './schema.ts'

/** What is wrong with a path of which the proxy takes every request for itself. */
export function loginPathProblem(path: string): string | undefined {
  if (!path.startsWith('/') || /[*{}]/.test(path))
    return `expected one path, which starts with /, without wildcards, got ${show(path)}`
  if (comparable(path) === '') return `expected a path of its own, got ${show(path)}: that is where applications begin`
  return pathPatternProblem(path)
}

/** Whether two paths are the same for somebody who asks for them: paths are protected in any letter case. */
export const isSamePath = (a: string, b: string): boolean => comparable(a) === comparable(b)

const comparable = (path: string): string => path.toLowerCase().replace(/\/+$/, '')

/** Whether a path pattern that `pathPatternProblem` finds nothing wrong with excludes a path. */
export function excludes(pattern: string, path: string): boolean {
  if (/[{}]/.test(pattern)) return templateMatches(pattern.split('/'), path.split('/'))
  if (pattern.endsWith('*')) return path.startsWith(pattern.slice(0, -1))
  return pattern.startsWith('*') ? path.endsWith(pattern.slice(1)) : pattern === path
}

function templateMatches(pattern: readonly string[], path: readonly string[]): boolean {
  const anyRest = pattern.at(-1) === '{**}'
  const fixed = anyRest ? pattern.slice(0, -1) : pattern
  if (anyRest ? path.length < fixed.length : path.length !== fixed.length) return false
  return fixed.every((segment, index) => segment.startsWith('{') || segment === path[index])
}
