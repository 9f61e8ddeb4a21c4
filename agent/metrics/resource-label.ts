import { TYPE } from '../../shared/xds/index.ts'

const LABELS: ReadonlyMap<string, string> = new Map(
  Object.values(TYPE).map(typeUrl => [typeUrl, typeUrl.slice(typeUrl.lastIndexOf('.') + 1)])
)

/** The last part of the name of a served type, `Listener` for one; `other` for any that a client may have made up. */
export function resourceLabel(typeUrl: string): string {
  return LABELS.get(typeUrl) ?? 'other'
}
