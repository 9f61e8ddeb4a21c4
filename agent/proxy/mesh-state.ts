import type {
  Endpoints,
  KeySet,
  LoginSecret,
  Mesh,
  Service
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { memoize } from './memoize.ts'

/** By `<namespace>/<name>`. */
export type Services = ReadonlyMap<string, Service>

/** By name; of those that workloads of this node refer to. */
export type KeySets = ReadonlyMap<string, KeySet>

/** By name; of those that workloads of this node refer to. */
export type LoginSecrets = ReadonlyMap<string, LoginSecret>

/** Whom to trust outside of the mesh: certificates as PEM. One object for as long as they are the same. */
export interface WebRoots {
  readonly pem: string
}

/**
 * What the authority said at one moment. Immutable, like every map and message in it: a change makes a new state that
 * holds the same objects for whatever did not change, and only what is new is encoded.
 */
export interface MeshState {
  readonly mesh: Mesh
  readonly services: Services
  /** By the `<namespace>/<name>` of the Service. */
  readonly endpoints: ReadonlyMap<string, Endpoints>
  readonly keySets: KeySets
  readonly loginSecrets: LoginSecrets
  readonly webRoots: WebRoots
}

/** The services in an order that does not depend on when each was heard of. */
export const inOrder: (services: Services) => readonly Service[] = memoize(services =>
  [...services.values()].sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name))
)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
