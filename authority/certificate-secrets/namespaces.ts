import { SECRETS_LABEL } from '../../shared/certificate-secrets/index.ts'

/** Names of namespaces, or `*` for every one that has the label. */
export type NamespaceList = readonly string[] | '*'

export interface ChosenNamespaces {
  /** Those whose accounts get Secrets. */
  readonly served: readonly string[]
  /** Those that have the label, which has no effect because the operator did not list them. */
  readonly unlisted: readonly string[]
  /** Those that are listed and have no label, and may have had it. */
  readonly unlabelled: readonly string[]
}

/** @param system the namespace of Countersign itself: its Secrets are the root and what else nobody may touch */
export function chosenNamespaces(
  namespaces: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[],
  list: NamespaceList,
  system: string
): ChosenNamespaces {
  const others = namespaces.filter(({ name }) => name !== system)
  const isListed = ({ name }: { readonly name: string }): boolean => list === '*' || list.includes(name)
  const labelled = others.filter(({ labels }) => labels[SECRETS_LABEL] === 'enabled')
  const unlabelled = list === '*' ? [] : others.filter(one => isListed(one) && !labelled.includes(one))
  return {
    served: labelled.filter(isListed).map(({ name }) => name),
    unlisted: labelled.filter(one => !isListed(one)).map(({ name }) => name),
    unlabelled: unlabelled.map(({ name }) => name)
  }
}
