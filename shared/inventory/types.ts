import type {
  EndUserAuthentication,
  PeerAuthentication,
  RequestAuthentication,
  UnreadablePolicy
} from '../policy/index.ts'

/** A namespace. */
export interface Namespace {
  readonly name: string
  readonly labels: Labels
}

/** Labels, or a selector of exact matches, by key. */
export type Labels = Readonly<Record<string, string>>

/** A node of the cluster. */
export interface Node {
  readonly name: string
  /** `spec.podCIDRs`: the networks from which its pods get their addresses; empty: nothing is said. */
  readonly podNetworks: readonly string[]
}

export interface ServiceAccount {
  readonly namespace: string
  readonly name: string
}

/** Transport protocol of a port, as Kubernetes writes it. */
export type Transport = 'TCP' | 'UDP' | 'SCTP'

/** A port that a container declares. Declaring is optional in Kubernetes: a pod may listen on others. */
export interface ContainerPort {
  readonly name?: string
  readonly number: number
  readonly protocol: Transport
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'

/** What the mesh needs to know of a pod. */
export interface Pod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly labels: Labels
  /** Only those of Countersign (`countersign.dev/…`). */
  readonly annotations: Labels
  /** The name of its service account, in its namespace. Empty: it has none, and so no identity. */
  readonly serviceAccount: string
  /** The node that it is assigned to; absent while it is not scheduled. */
  readonly node?: string
  /** IP addresses, the primary one first; empty until it has one. */
  readonly addresses: readonly string[]
  readonly phase: PodPhase
  readonly ready: boolean
  /** It has been deleted and is shutting down. */
  readonly terminating: boolean
  /** Of a terminating pod: when it shall be gone, its grace period included; milliseconds since the epoch. */
  readonly deletionTime?: number
  /** It has the container `countersign-proxy`, and in it the volume `countersign` of Countersign's CSI driver. */
  readonly hasProxy: boolean
  /** When the API server created it, in milliseconds since the epoch; absent in manifests that do not say. */
  readonly created?: number
  /** It uses the network of its node: its addresses are the node's, and it claims none. */
  readonly hostNetwork?: true
  /** The API server's copy of a static pod, which anyone with the credentials of a kubelet can create. */
  readonly mirror?: true
  /** Addresses that it reports and does not hold, sorted; absent: none. */
  readonly unheld?: readonly UnheldAddress[]
  /** What reaches its containers without its proxy, as it was asked for; absent: nothing. */
  readonly bypass?: InboundBypass
  /** Further volumes of Countersign's driver, by name: attributes of these are read by nobody. Absent: none. */
  readonly furtherVolumes?: readonly string[]
  /** Its volume names an address of the application: outside Kubernetes, where nothing is captured. */
  readonly notCaptured?: true
  readonly ports: readonly ContainerPort[]
}

/** Why a pod does not hold an address that it reports. */
export type UnheldAddress =
  /** `<namespace>/<name>` of the pod, or of the Service, that holds it. */
  | { readonly address: string; readonly why: 'other-pod' | 'service'; readonly holder: string }
  /** It is in none of the networks from which its Node gives addresses to pods. */
  | { readonly address: string; readonly why: 'outside-node'; readonly networks: readonly string[] }

/** Incoming connections that a pod excludes from capture. */
export interface InboundBypass {
  /** Ports of the pod, ascending. */
  readonly ports: readonly number[]
  /** Names of interfaces of the pod. */
  readonly interfaces: readonly string[]
}

export type ServiceType = 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'

/** A TCP port of a Service; other transports are not kept. */
export interface ServicePort {
  readonly name: string
  readonly number: number
  /** The port of the pods, by number or by the name of a container port. */
  readonly targetPort: number | string
  readonly protocol: 'TCP'
  readonly appProtocol?: string
}

export interface Service {
  readonly namespace: string
  readonly name: string
  readonly type: ServiceType
  /** Virtual addresses; empty for a headless Service, and for one that has not been given any. */
  readonly addresses: readonly string[]
  /** `clusterIP: None`: clients connect to the pods' own addresses. */
  readonly headless: boolean
  /** Labels of the pods behind it; empty: it has no selector, and its endpoints are given otherwise. */
  readonly selector: Labels
  /** Pods that are not ready count as ready (`publishNotReadyAddresses`). */
  readonly publishNotReady: boolean
  readonly ports: readonly ServicePort[]
  /**
   * From the annotation `countersign.dev/service-accounts`: the only accounts that may serve it, each as
   * `<namespace>/<account>`, sorted. Absent: whoever is behind it. Empty: nobody.
   */
  readonly pinnedAccounts?: readonly string[]
}

/** One place behind a port of a Service. */
export interface Endpoint {
  readonly address: string
  readonly port: number
  /** The pod at that address, in whatever namespace; absent when no pod holds it. */
  readonly podUid?: string
  /** It may be chosen for the Service: ready, or published as such, and not terminating. */
  readonly ready: boolean
}

export interface PortEndpoints {
  /** The Service's own port number. */
  readonly servicePort: number
  readonly endpoints: readonly Endpoint[]
}

/** All places behind one Service, one entry per port of the Service that has any. */
export interface ServiceEndpoints {
  readonly namespace: string
  readonly service: string
  readonly ports: readonly PortEndpoints[]
  /** Endpoints of its slices that are left out because they contradict the pods; absent: none. */
  readonly refused?: RefusedEndpoints
}

/** What an EndpointSlice names and the pods contradict. */
export interface RefusedEndpoint {
  readonly address: string
  readonly kind: 'contradictory' | 'unknown-pod' | 'mirror-pod'
  /** Why it is left out, for people. */
  readonly because: string
}

export interface RefusedEndpoints {
  /** The first ones, sorted: an author of slices decides how many there are. */
  readonly first: readonly RefusedEndpoint[]
  readonly count: number
}

/**
 * What the mesh is made of at one moment. Frozen, and sorted by namespace and name. An object that did not change is
 * the same object in the next inventory, a list that did not change the same list: comparing identities suffices.
 */
export interface Inventory {
  readonly namespaces: readonly Namespace[]
  readonly serviceAccounts: readonly ServiceAccount[]
  readonly pods: readonly Pod[]
  readonly services: readonly Service[]
  readonly endpoints: readonly ServiceEndpoints[]
  readonly peerAuthentications: readonly PeerAuthentication[]
  readonly requestAuthentications: readonly RequestAuthentication[]
  readonly endUserAuthentications: readonly EndUserAuthentication[]
  /** Policies that are there and cannot be understood. They close what they select. */
  readonly unreadablePolicies: readonly UnreadablePolicy[]
}

/** A current inventory, and word when there is another. */
export interface InventorySource {
  /** The same object until something changes. */
  current(): Inventory
  /** The listener takes no argument: it asks for the newest. The returned function ends the subscription. */
  subscribe(listener: () => void): () => void
}
