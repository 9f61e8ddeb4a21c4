import { hasEnded, type Inventory, type Labels, type Pod } from '../../shared/inventory/index.ts'
import type { PolicyKind } from './policy-status.ts'

interface Selecting {
  readonly kind: PolicyKind
  readonly namespace: string
  readonly selector?: Labels
}

/** Finds the service accounts of the pods that a policy selects. Only pods that have a proxy count. */
export class SelectedAccounts {
  readonly #rootNamespace: string
  readonly #all: readonly Pod[]
  readonly #byNamespace = new Map<string, Pod[]>()

  constructor({ pods }: Pick<Inventory, 'pods'>, rootNamespace: string) {
    this.#rootNamespace = rootNamespace
    this.#all = pods.filter(pod => pod.hasProxy && !hasEnded(pod))
    for (const pod of this.#all) {
      const list = this.#byNamespace.get(pod.namespace)
      if (list === undefined) this.#byNamespace.set(pod.namespace, [pod])
      else list.push(pod)
    }
  }

  /** `<namespace>/<account>`, each once, sorted. A policy of the root namespace is for the whole mesh. */
  of({ kind, namespace, selector }: Selecting): readonly string[] {
    const isRoot = namespace === this.#rootNamespace
    // Istio, PeerAuthentication: with a selector it has no effect in the root namespace.
    if (isRoot && selector !== undefined && kind === 'PeerAuthentication') return []
    return this.#select(namespace, selector)
  }

  /** The same for a policy that cannot be understood: every kind of them closes what its selector selects. */
  ofUnreadable({ namespace, selector }: Omit<Selecting, 'kind'>): readonly string[] {
    return this.#select(namespace, selector)
  }

  #select(namespace: string, selector: Labels | undefined): readonly string[] {
    const isRoot = namespace === this.#rootNamespace
    const wanted = Object.entries(selector ?? {})
    const accounts = new Set<string>()
    for (const { namespace: of, labels, serviceAccount } of isRoot
      ? this.#all
      : (this.#byNamespace.get(namespace) ?? []))
      if (wanted.every(([key, value]) => labels[key] === value)) accounts.add(`${of}/${serviceAccount}`)
    return [...accounts].sort()
  }
}
