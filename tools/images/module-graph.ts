import { existsSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative } from 'node:path'

/** What a program consists of. */
export interface ModuleGraph {
  /** Its own sources, relative to the root, sorted. */
  readonly files: readonly string[]
  /** The npm packages that these import by name, sorted. */
  readonly packages: readonly string[]
}

/**
 * Follows the imports of a program through the sources of the checkout.
 *
 * @param entry relative to `root`, for example `agent/main.ts`
 * @throws Error when a file that is imported is missing
 */
export function moduleGraph(root: string, entry: string): ModuleGraph {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (file: string, importer: string): void => {
    if (files.has(file)) return
    if (!existsSync(join(root, file))) throw new Error(`${importer} names ${file}, and there is no such file`)
    files.add(file)
    for (const specifier of importsOf(readFileSync(join(root, file), 'utf8'))) {
      if (specifier.startsWith('.')) visit(relative(root, join(root, dirname(file), specifier)), file)
      else if (!isBuiltin(specifier)) packages.add(packageOf(specifier))
    }
  }
  visit(entry, 'the list of images')
  return { files: [...files].sort(), packages: [...packages].sort() }
}

// Imports stand at the beginning of a line, and `import type` is gone when the program runs. `import { type A }` is
// not: what is left of it still loads the module.
const STATIC = /^(?:import|export)\s+(?!type\s)(?:[^'";]*?\sfrom\s+)?(['"])([^'"\n]+)\1/gm
const DYNAMIC = /\bimport\(\s*(['"])([^'"\n]+)\1\s*\)/g

/** What a source in TypeScript or JavaScript, formatted as those of this project, loads when it runs. */
export function importsOf(source: string): string[] {
  return [...source.matchAll(STATIC), ...source.matchAll(DYNAMIC)].map(([, , specifier = '']) => specifier)
}

const isBuiltin = (specifier: string): boolean =>
  specifier.startsWith('node:') || builtinModules.includes(specifier.split('/')[0] ?? '')

function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}
