import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import {
  EndpointsSchema,
  type KeySet,
  KeySetSchema,
  type LoginSecret,
  LoginSecretSchema,
  MeshSchema,
  ServiceSchema,
  type Workload,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { createResource, type Resource, type ResourceMap, type Snapshot, typeUrlOf } from '../../shared/xds/index.ts'
import type { Known, KnownKeys, KnownLoginSecrets } from './known.ts'
import type { MeshState } from './mesh-state.ts'
import { reuseMap } from './reuse.ts'

/** Type URLs of the resources that the authority serves. */
export const MESH_TYPE = {
  mesh: typeUrlOf(MeshSchema),
  service: typeUrlOf(ServiceSchema),
  endpoints: typeUrlOf(EndpointsSchema),
  workload: typeUrlOf(WorkloadSchema),
  keySet: typeUrlOf(KeySetSchema),
  loginSecret: typeUrlOf(LoginSecretSchema)
} as const

/** The name of the one resource of type Mesh. */
const MESH_NAME = 'mesh'

/** What every agent is to be sent. */
export interface MeshSnapshots {
  readonly state: MeshState
  /** By name, those that workloads refer to. */
  readonly keySets: ReadonlyMap<string, KeySet>
  /** By name, those that workloads refer to and that are there. Never to be logged. */
  readonly loginSecrets: ReadonlyMap<string, LoginSecret>
  /** By type: the mesh, Services and Endpoints, which are the same for all. */
  readonly shared: ReadonlyMap<string, ResourceMap>
  /** By node, of the nodes that have any. */
  readonly workloads: ReadonlyMap<string, ResourceMap>
  /**
   * What the agent of a node is sent: the mesh, all Services and Endpoints, and the workloads of that node alone with
   * the keys that they verify tokens with, and the secrets with which they sign people in. The same object as before when nothing of it changed.
   */
  forNode(node: string): Snapshot
}

/** What is a node's own. */
interface Own {
  readonly workloads: ResourceMap
  readonly keys: ResourceMap
  readonly secrets: ResourceMap
}

const NONE: ResourceMap = new Map()
const NOTHING: Own = { workloads: NONE, keys: NONE, secrets: NONE }

/**
 * Encodes a state. Given the snapshots of the state before it, whatever did not change is the same object as there,
 * resources, maps and snapshots alike; nothing is encoded twice.
 */
export function snapshots(state: MeshState, known: Known, previous?: MeshSnapshots): MeshSnapshots {
  const shared = encodeShared(state, previous)
  const keySets = new Map<string, KeySet>()
  const loginSecrets = new Map<string, LoginSecret>()
  const workloads = new Map<string, ResourceMap>()
  const byNode = new Map<string, Snapshot>()
  for (const [node, messages] of state.workloadsByNode) {
    const old = previous?.state.workloadsByNode.get(node)
    const resources = encode(WorkloadSchema, messages, old, previous?.workloads.get(node))
    workloads.set(node, resources)
    const before = previous?.forNode(node)
    const ownKeys = keySetsFor(messages, known.keys, keySets, previous?.keySets)
    const keys = encode(KeySetSchema, ownKeys, previous?.keySets, before?.types.get(MESH_TYPE.keySet))
    const ownSecrets = loginSecretsFor(messages, known.loginSecrets, loginSecrets, previous?.loginSecrets)
    const secrets = encode(
      LoginSecretSchema,
      ownSecrets,
      previous?.loginSecrets,
      before?.types.get(MESH_TYPE.loginSecret)
    )
    byNode.set(node, snapshotOf(shared, { workloads: resources, keys, secrets }, before))
  }
  const elsewhere = snapshotOf(shared, NOTHING, previous?.forNode(NO_NODE))
  return new EncodedState({ state, shared, keySets, loginSecrets, workloads }, byNode, elsewhere)
}

/** The key sets that workloads refer to, each one message for all nodes; added to `all`. */
function keySetsFor(
  workloads: ReadonlyMap<string, Workload>,
  known: KnownKeys,
  all: Map<string, KeySet>,
  previous: ReadonlyMap<string, KeySet> | undefined
): ReadonlyMap<string, KeySet> {
  const names = [...workloads.values()].flatMap(({ endUsers }) => endUsers?.providers.map(({ keySet }) => keySet) ?? [])
  return new Map(
    [...new Set(names)].sort().map(name => {
      const jwks = known.get(name)?.jwks ?? ''
      const candidate = all.get(name) ?? previous?.get(name)
      const message = candidate?.jwks === jwks ? candidate : create(KeySetSchema, { jwks })
      all.set(name, message)
      return [name, message]
    })
  )
}

/** The secrets of logins that workloads refer to, each one message for all nodes; added to `all`. */
function loginSecretsFor(
  workloads: ReadonlyMap<string, Workload>,
  known: KnownLoginSecrets,
  all: Map<string, LoginSecret>,
  previous: ReadonlyMap<string, LoginSecret> | undefined
): ReadonlyMap<string, LoginSecret> {
  const names = [...workloads.values()].flatMap(
    ({ endUsers }) => endUsers?.providers.flatMap(({ login }) => login?.secret ?? []) ?? []
  )
  return new Map(
    [...new Set(names)].sort().flatMap((name): [string, LoginSecret][] => {
      const value = known.get(name)?.secret?.reveal()
      if (value === undefined) return []
      const candidate = all.get(name) ?? previous?.get(name)
      const isSame =
        candidate !== undefined &&
        isSameBytes(candidate.clientSecret, value.clientSecret) &&
        isSameBytes(candidate.hmacKey, value.hmacKey)
      const { clientSecret, hmacKey } = value
      const message = isSame ? candidate : create(LoginSecretSchema, { clientSecret, hmacKey })
      all.set(name, message)
      return [[name, message]]
    })
  )
}

const isSameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

// No node has this name.
const NO_NODE = ''

// A class and not a closure: that would keep `previous` alive, and so every state that there ever was.
class EncodedState implements MeshSnapshots {
  readonly state: MeshState
  readonly shared: ReadonlyMap<string, ResourceMap>
  readonly keySets: ReadonlyMap<string, KeySet>
  readonly loginSecrets: ReadonlyMap<string, LoginSecret>
  readonly workloads: ReadonlyMap<string, ResourceMap>
  readonly #byNode: ReadonlyMap<string, Snapshot>
  readonly #elsewhere: Snapshot

  constructor(
    { state, shared, keySets, loginSecrets, workloads }: Omit<MeshSnapshots, 'forNode'>,
    byNode: ReadonlyMap<string, Snapshot>,
    elsewhere: Snapshot
  ) {
    this.state = state
    this.shared = shared
    this.keySets = keySets
    this.loginSecrets = loginSecrets
    this.workloads = workloads
    this.#byNode = byNode
    this.#elsewhere = elsewhere
  }

  forNode(node: string): Snapshot {
    return this.#byNode.get(node) ?? this.#elsewhere
  }
}

function encodeShared(state: MeshState, previous: MeshSnapshots | undefined): ReadonlyMap<string, ResourceMap> {
  const old = previous?.state
  const before = previous?.shared
  const types = new Map([
    [MESH_TYPE.mesh, encode(MeshSchema, named(state.mesh), old && named(old.mesh), before?.get(MESH_TYPE.mesh))],
    [MESH_TYPE.service, encode(ServiceSchema, state.services, old?.services, before?.get(MESH_TYPE.service))],
    [MESH_TYPE.endpoints, encode(EndpointsSchema, state.endpoints, old?.endpoints, before?.get(MESH_TYPE.endpoints))]
  ])
  return reuseMap(before, types)
}

function snapshotOf(
  shared: ReadonlyMap<string, ResourceMap>,
  { workloads, keys, secrets }: Own,
  before: Snapshot | undefined
): Snapshot {
  const own: [string, ResourceMap][] = [
    [MESH_TYPE.workload, workloads],
    [MESH_TYPE.keySet, keys],
    [MESH_TYPE.loginSecret, secrets]
  ]
  const types = reuseMap(before?.types, new Map([...shared, ...own]))
  return before !== undefined && types === before.types ? before : Object.freeze({ types })
}

function named(mesh: MeshState['mesh']): ReadonlyMap<string, MeshState['mesh']> {
  return new Map([[MESH_NAME, mesh]])
}

function encode<Schema extends DescMessage>(
  schema: Schema,
  messages: ReadonlyMap<string, MessageShape<Schema>>,
  oldMessages: ReadonlyMap<string, MessageShape<Schema>> | undefined,
  oldResources: ResourceMap | undefined
): ResourceMap {
  if (messages === oldMessages && oldResources !== undefined) return oldResources
  const resources = new Map<string, Resource>()
  for (const [name, message] of messages) {
    const old = oldMessages?.get(name) === message ? oldResources?.get(name) : undefined
    resources.set(name, old ?? createResource(schema, name, message))
  }
  return reuseMap(oldResources, resources)
}
