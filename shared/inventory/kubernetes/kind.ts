import { COLLECTIONS, type Collection } from '../../kube/index.ts'
import {
  checkEndUserAuthentication,
  checkPeerAuthentication,
  checkRequestAuthentication,
  type EndUserAuthentication,
  type PeerAuthentication,
  type RequestAuthentication,
  type UnreadablePolicy
} from '../../policy/index.ts'
import { type EndpointSlice, endpointSliceFromManifest } from '../endpoint-slice.ts'
import { type Normalised, normalisedPolicy } from '../issue.ts'
import { namespaceFromManifest, nodeFromManifest } from '../namespace.ts'
import { podFromApi } from '../pod.ts'
import { serviceFromManifest } from '../service.ts'
import type { Namespace, Node, Pod, Service } from '../types.ts'

/** What is followed of the cluster. */
export interface Values {
  readonly namespaces: Namespace
  readonly nodes: Node
  readonly pods: Pod
  readonly services: Service
  readonly endpointSlices: EndpointSlice
  readonly peerAuthentications: PeerAuthentication | UnreadablePolicy
  readonly requestAuthentications: RequestAuthentication | UnreadablePolicy
  readonly endUserAuthentications: EndUserAuthentication | UnreadablePolicy
}

export type Kind = keyof Values

export interface KindReader<T> {
  readonly collection: Collection
  readonly read: (object: unknown) => Normalised<T>
  /**
   * Whether the last good state of an object stays while it has a mistake. So with a Service: a pinned account that
   * went away by a mistake would open what it was to close. A policy with a mistake closes what it selects instead:
   * its last good state would be known to a replica that has seen it, and to no other.
   */
  readonly keepsLastGood: boolean
}

export const KINDS: { readonly [K in Kind]: KindReader<Values[K]> } = {
  namespaces: { collection: COLLECTIONS.namespaces, read: namespaceFromManifest, keepsLastGood: false },
  // With a mistake: a Node without networks would let its pods claim any address.
  nodes: { collection: COLLECTIONS.nodes, read: nodeFromManifest, keepsLastGood: true },
  pods: { collection: COLLECTIONS.pods, read: podFromApi, keepsLastGood: false },
  services: { collection: COLLECTIONS.services, read: serviceFromManifest, keepsLastGood: true },
  endpointSlices: { collection: COLLECTIONS.endpointSlices, read: endpointSliceFromManifest, keepsLastGood: false },
  peerAuthentications: {
    collection: COLLECTIONS.peerAuthentications,
    read: normalisedPolicy('PeerAuthentication', checkPeerAuthentication),
    keepsLastGood: false
  },
  requestAuthentications: {
    collection: COLLECTIONS.requestAuthentications,
    read: normalisedPolicy('RequestAuthentication', checkRequestAuthentication),
    keepsLastGood: false
  },
  endUserAuthentications: {
    collection: COLLECTIONS.endUserAuthentications,
    read: normalisedPolicy('EndUserAuthentication', checkEndUserAuthentication),
    keepsLastGood: false
  }
}
