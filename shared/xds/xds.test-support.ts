// Short ways to write down snapshots and requests.

import { type Resource, resourceMap, type Snapshot, TYPE } from './index.ts'

/** `{secret: {default: '1'}}`: resources by type and name, each with its version. */
export type Content = Readonly<Record<string, Readonly<Record<string, string>>>>

export function shortName(typeUrl: string): string {
  return Object.entries(TYPE).find(([, value]) => value === typeUrl)?.[0] ?? typeUrl
}

export function longName(type: string): string {
  return TYPE[type as keyof typeof TYPE] ?? type
}

/** The value of a resource is `name=version`. */
export function resources(type: string, versions: Readonly<Record<string, string>>): Resource[] {
  const typeUrl = longName(type)
  return Object.entries(versions).map(([name, version]) => ({
    name,
    version,
    typeUrl,
    value: Buffer.from(`${name}=${version}`)
  }))
}

export function snapshot(content: Content): Snapshot {
  return {
    types: new Map(
      Object.entries(content).map(([type, versions]) => [longName(type), resourceMap(resources(type, versions))])
    )
  }
}

/** An event sink that writes each event as one line. */
export function recordEvents(lines: string[]): {
  accepted(typeUrl: string, versions: ReadonlyMap<string, string>): void
  rejected(typeUrl: string, message: string, names: readonly string[]): void
  ignored(typeUrl: string): void
} {
  return {
    accepted: (typeUrl, versions) => lines.push(`accepted ${shortName(typeUrl)} ${[...versions].join(' ')}`),
    rejected: (typeUrl, message, names) => lines.push(`rejected ${shortName(typeUrl)} ${message} ${names.join(' ')}`),
    ignored: typeUrl => lines.push(`ignored ${typeUrl}`)
  }
}
