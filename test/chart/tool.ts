import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Tool, toolSource, toolsFor } from '../cluster/tools.ts'

export const CACHE = join(import.meta.dirname, '../../.cache/cluster-tools')
export const LARGEST_OUTPUT = 256 * 1024 * 1024

const found = new Map<Tool['name'], string>()

/**
 * Where a program of the cluster is: packed in COUNTERSIGN_TOOLS, or in the cache.
 *
 * @throws Error where it is in neither
 */
export function toolFile(name: Tool['name']): string {
  const file = found.get(name) ?? provide(name)
  found.set(name, file)
  return file
}

function provide(name: Tool['name']): string {
  const tool = toolsFor('1.34').find(tool => tool.name === name)
  if (tool === undefined) throw new Error(`the cluster has no ${name} any more`)
  const tools = process.env['COUNTERSIGN_TOOLS'] || undefined
  const source = toolSource(tool, { tools }, CACHE, existsSync)
  if (source.kind === 'built')
    throw new Error(
      `there is no ${name}: set COUNTERSIGN_TOOLS to a folder with ${tool.packed}, or run \`npm run cluster up\` once`
    )
  if (source.kind === 'packed' && !existsSync(source.to)) unpack(source.from, source.to)
  return source.to
}

function unpack(from: string, to: string): void {
  const { status, stdout, stderr } = spawnSync('xz', ['-dc', from], { maxBuffer: LARGEST_OUTPUT })
  if (status !== 0) throw new Error(`${from} cannot be unpacked: ${stderr}`)
  mkdirSync(dirname(to), { recursive: true })
  // Under another name first: several test files may do this at once.
  const unfinished = `${to}.${process.pid}`
  writeFileSync(unfinished, stdout)
  chmodSync(unfinished, 0o755)
  renameSync(unfinished, to)
}
