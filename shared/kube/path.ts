/** A kind of object, as it stands in URLs. */
export interface Collection {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  /** In lower case and plural: `pods`. */
  readonly plural: string
}

/** What Countersign reads or writes. */
export const COLLECTIONS = {
  namespaces: { group: '', version: 'v1', plural: 'namespaces' },
  nodes: { group: '', version: 'v1', plural: 'nodes' },
  pods: { group: '', version: 'v1', plural: 'pods' },
  services: { group: '', version: 'v1', plural: 'services' },
  secrets: { group: '', version: 'v1', plural: 'secrets' },
  serviceAccounts: { group: '', version: 'v1', plural: 'serviceaccounts' },
  events: { group: '', version: 'v1', plural: 'events' },
  configMaps: { group: '', version: 'v1', plural: 'configmaps' },
  leases: { group: 'coordination.k8s.io', version: 'v1', plural: 'leases' },
  endpointSlices: { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices' },
  peerAuthentications: { group: 'security.istio.io', version: 'v1', plural: 'peerauthentications' },
  requestAuthentications: { group: 'security.istio.io', version: 'v1', plural: 'requestauthentications' },
  endUserAuthentications: { group: 'countersign.dev', version: 'v1', plural: 'enduserauthentications' },
  definitions: { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' },
  mutatingWebhooks: { group: 'admissionregistration.k8s.io', version: 'v1', plural: 'mutatingwebhookconfigurations' },
  validatingWebhooks: {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    plural: 'validatingwebhookconfigurations'
  }
} as const satisfies Readonly<Record<string, Collection>>

/** All objects of a kind: of one namespace, or of the cluster. */
export function collectionPath({ group, version, plural }: Collection, namespace?: string): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  return namespace === undefined ? `${root}/${plural}` : `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`
}

export function objectPath(collection: Collection, name: string, namespace?: string): string {
  return `${collectionPath(collection, namespace)}/${encodeURIComponent(name)}`
}

/** What a controller says of an object, to be written apart from it (Kubernetes, "API Conventions", status). */
export function statusPath(collection: Collection, name: string, namespace?: string): string {
  return `${objectPath(collection, name, namespace)}/status`
}
