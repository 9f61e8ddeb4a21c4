import { createHash } from 'node:crypto'
import type { ResourceMap } from './resource.ts'

const known = new WeakMap<ResourceMap, string>()

/** One version for many resources: follows from their names and versions, whatever their order. */
export function versionOf(resources: ResourceMap): string {
  let version = known.get(resources)
  if (version === undefined) {
    version = digest(resources)
    known.set(resources, version)
  }
  return version
}

function digest(resources: ResourceMap): string {
  const lines: string[] = []
  for (const { name, version } of resources.values()) lines.push(`${name}\0${version}`)
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex').slice(0, 16)
}
