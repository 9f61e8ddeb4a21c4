import type { Inventory } from '../../shared/inventory/index.ts'

const KINDS = {
  PeerAuthentication: 'peerAuthentications',
  RequestAuthentication: 'requestAuthentications',
  EndUserAuthentication: 'endUserAuthentications'
} as const satisfies Readonly<Record<string, keyof Inventory>>

export type DefinedKind = keyof typeof KINDS

/** Something to be said in the status of a policy. */
interface Problem {
  readonly kind: 'fields-dropped'
  /** `PeerAuthentication shop/orders` */
  readonly object: string
  readonly message: string
}

const MESSAGE =
  'fields that its CustomResourceDefinition does not know are dropped before Countersign sees them: compare what is stored with what was written, or install the definition of the Countersign chart'

/** One problem for each policy of a kind whose definition drops unknown fields. */
export function definitionProblems(
  pruning: ReadonlySet<DefinedKind>,
  inventory: Pick<Inventory, (typeof KINDS)[DefinedKind]>
): readonly Problem[] {
  return [...pruning].flatMap(kind =>
    inventory[KINDS[kind]].map(({ namespace, name }) => ({
      kind: 'fields-dropped' as const,
      object: `${kind} ${namespace}/${name}`,
      message: MESSAGE
    }))
  )
}
