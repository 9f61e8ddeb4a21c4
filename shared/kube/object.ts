/** What every object of the API has. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly resourceVersion?: string
    /** Counts the changes of what is wanted of the object; those of its status do not count. */
    readonly generation?: number
  }
  readonly [field: string]: unknown
}

export function isObject(value: unknown): value is KubeObject {
  const metadata = record(record(value)?.['metadata'])
  return metadata !== undefined && typeof metadata['name'] === 'string'
}

/** `<namespace>/<name>`, or the name alone of what is in no namespace. */
export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`
}

/** A JSON object, looked at without believing anything of it. */
export function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
}

export function stringIn(value: Readonly<Record<string, unknown>> | undefined, key: string): string | undefined {
  const found = value?.[key]
  return typeof found === 'string' && found !== '' ? found : undefined
}
