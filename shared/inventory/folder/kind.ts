import {
  checkEndUserAuthentication,
  checkPeerAuthentication,
  checkRequestAuthentication,
  type EndUserAuthentication,
  type PeerAuthentication,
  type RequestAuthentication,
  type UnreadablePolicy
} from '../../policy/index.ts'
import { deploymentFromManifest } from '../deployment.ts'
import { type EndpointSlice, endpointSliceFromManifest } from '../endpoint-slice.ts'
import { type Normalised, normalisedPolicy } from '../issue.ts'
import { namespaceFromManifest, nodeFromManifest, serviceAccountFromManifest } from '../namespace.ts'
import { podFromManifest } from '../pod.ts'
import { type Secret, secretFromManifest } from '../secret.ts'
import { serviceFromManifest } from '../service.ts'
import type { Namespace, Node, Pod, Service, ServiceAccount } from '../types.ts'

interface Values {
  Namespace: Namespace
  ServiceAccount: ServiceAccount
  Pod: Pod
  Service: Service
  Secret: Secret
  EndpointSlice: EndpointSlice
  PeerAuthentication: PeerAuthentication
  RequestAuthentication: RequestAuthentication
  EndUserAuthentication: EndUserAuthentication
  Deployment: { readonly namespace: string; readonly name: string }
  Node: Node
  /** No kind that can be written: what becomes of a policy that cannot be understood. */
  UnreadablePolicy: UnreadablePolicy
}

export type Kind = keyof Values
/** A kind that can be written. */
export type WrittenKind = Exclude<Kind, 'UnreadablePolicy'>
export type Value<K extends Kind> = Values[K]

interface Reader<T> {
  readonly apiVersions: readonly string[]
  /** A group of which every version is this kind, known or not: a policy of a version to come must not be passed over. */
  readonly group?: string
  readonly read: (object: unknown) => Normalised<T | UnreadablePolicy>
}

/**
 * What a folder may hold. Deployments are checked, Nodes say where the addresses of their pods are from; they and Secrets
 * are no part of the inventory.
 */
const KINDS: { readonly [K in WrittenKind]: Reader<Values[K]> } = {
  Namespace: { apiVersions: ['v1'], read: namespaceFromManifest },
  ServiceAccount: { apiVersions: ['v1'], read: serviceAccountFromManifest },
  Pod: { apiVersions: ['v1'], read: podFromManifest },
  Service: { apiVersions: ['v1'], read: serviceFromManifest },
  Secret: { apiVersions: ['v1'], read: secretFromManifest },
  Node: { apiVersions: ['v1'], read: nodeFromManifest },
  EndpointSlice: { apiVersions: ['discovery.k8s.io/v1'], read: endpointSliceFromManifest },
  Deployment: { apiVersions: ['apps/v1'], read: deploymentFromManifest },
  PeerAuthentication: {
    apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
    group: 'security.istio.io',
    read: normalisedPolicy('PeerAuthentication', checkPeerAuthentication)
  },
  RequestAuthentication: {
    apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
    group: 'security.istio.io',
    read: normalisedPolicy('RequestAuthentication', checkRequestAuthentication)
  },
  EndUserAuthentication: {
    apiVersions: ['countersign.dev/v1'],
    group: 'countersign.dev',
    read: normalisedPolicy('EndUserAuthentication', checkEndUserAuthentication)
  }
}

/** The kind that these two fields name; undefined when it is none of those that are read. */
export function kindOf(apiVersion: string, kind: string): WrittenKind | undefined {
  if (!Object.hasOwn(KINDS, kind)) return undefined
  const { apiVersions, group } = KINDS[kind as WrittenKind]
  const isKnown = apiVersions.includes(apiVersion) || (group !== undefined && apiVersion.startsWith(`${group}/`))
  return isKnown ? (kind as WrittenKind) : undefined
}

export function readKind<K extends WrittenKind>(kind: K, object: unknown): Normalised<Values[K] | UnreadablePolicy> {
  return KINDS[kind].read(object)
}
