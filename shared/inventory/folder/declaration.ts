import type { Kind, Value } from './kind.ts'
import type { Place } from './problem.ts'

/** An object together with the place where it was declared. */
export type Declaration = { readonly [K in Kind]: DeclarationOf<K> }[Kind]

export interface DeclarationOf<K extends Kind> {
  readonly kind: K
  readonly value: Value<K>
  readonly place: Place
}

/** `Service shop/orders`: there may be one of each name. */
export function nameOf({ kind, value }: Declaration): string {
  if (kind === 'UnreadablePolicy') return `${value.kind} ${value.namespace}/${value.name}`
  return 'namespace' in value ? `${kind} ${value.namespace}/${value.name}` : `${kind} ${value.name}`
}

export function valuesOf<K extends Kind>(declarations: readonly Declaration[], kind: K): readonly Value<K>[] {
  return declarationsOf(declarations, kind).map(({ value }) => value)
}

export function declarationsOf<K extends Kind>(
  declarations: readonly Declaration[],
  kind: K
): readonly DeclarationOf<K>[] {
  return declarations.filter(declaration => declaration.kind === kind) as unknown as readonly DeclarationOf<K>[]
}
