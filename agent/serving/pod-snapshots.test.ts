import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import {
  MeshSchema,
  MutualTlsMode,
  Protocol,
  type Workload,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { createRoot, generateKeyPair, signCertificate, spkiOf } from '../../shared/x509/index.ts'
import { TYPE } from '../../shared/xds/index.ts'
import type { MeshState } from '../authority/index.ts'
import type { Volume } from '../volume/index.ts'
import type { Svid } from '../workload/index.ts'
import { PodSnapshots } from './index.ts'

const UID = 'b1946ac9-0000-4000-8000-000000000001'
const NOW = Date.UTC(2026, 0, 1)
const trustDomain = parseTrustDomain('mesh.test')
const life = { notBefore: NOW, notAfter: NOW + 3_600_000 }
const root = await createRoot({ commonName: 'root', trustDomain, ...life })
const mesh = create(MeshSchema, {
  trustDomain,
  clusterDomain: 'cluster.local',
  trustBundles: [{ trustDomain, roots: [root.certificate.der] }]
})
const workload = create(WorkloadSchema, {
  uid: UID,
  namespace: 'shop',
  name: 'orders-1',
  serviceAccount: 'orders',
  addresses: ['10.0.0.1'],
  ports: [{ number: 8080, protocol: Protocol.HTTP }],
  mode: MutualTlsMode.PERMISSIVE
})
const volume: Volume = {
  id: 'csi-1',
  targetPath: '/tmp/pods/orders-1',
  pod: { uid: UID, namespace: 'shop', name: 'orders-1', serviceAccount: 'orders' },
  token: undefined,
  attributes: { 'countersign.dev/application-address': '10.1.0.1' },
  probes: []
}

async function newSvid(): Promise<Svid> {
  const { publicKey, privateKey } = await generateKeyPair()
  const spiffeId = SpiffeId.workload(trustDomain, 'shop', 'orders')
  return {
    spiffeId,
    chain: [signCertificate({ usage: 'workload', spiffeId, ...life }, spkiOf(publicKey), root)],
    privateKey,
    issuedAt: NOW
  }
}

/** The three things a pod's configuration is made of, each set by hand. */
class World {
  volumes: ReadonlyMap<string, Volume> = new Map([[UID, volume]])
  svid: Svid | undefined
  state: MeshState = {
    mesh: undefined,
    workloads: new Map(),
    services: new Map(),
    endpoints: new Map(),
    keySets: new Map(),
    loginSecrets: new Map(),
    synced: false
  }
  readonly #changed: (() => void)[] = []
  readonly lines: string[] = []
  readonly snapshots: PodSnapshots

  constructor(interception: 'redirect' | 'explicit' = 'redirect') {
    const on = (listener: () => void): (() => void) => {
      this.#changed.push(listener)
      return () => {}
    }
    this.snapshots = new PodSnapshots({
      volumes: { current: () => this.volumes, subscribe: on },
      identities: { current: () => this.svid, subscribe: listener => on(() => listener(UID)) },
      mesh: { current: () => this.state, subscribe: on },
      interception,
      webRoots: '',
      log: createLogger('test', 'trace', { write: line => void this.lines.push(line) })
    })
  }

  set(change: { volumes?: ReadonlyMap<string, Volume>; svid?: Svid | undefined; state?: Partial<MeshState> }): void {
    if (change.volumes !== undefined) this.volumes = change.volumes
    if ('svid' in change) this.svid = change.svid
    this.state = { ...this.state, ...change.state }
    for (const listener of this.#changed) listener()
  }

  get types(): readonly string[] {
    return [...(this.snapshots.sourceFor(`pod:${UID}`)?.current().types.keys() ?? [])]
  }
}

const known = (one: Workload = workload): Partial<MeshState> => ({
  mesh,
  workloads: new Map([[UID, one]]),
  synced: true
})

describe('the gate', () => {
  it('gives nothing to a pod without a certificate, whatever else is known', () => {
    const world = new World()
    world.set({ state: known() })
    assert.deepEqual(world.types, [])
  })

  it('gives nothing while no root is known', async () => {
    const world = new World()
    world.set({ svid: await newSvid() })
    assert.deepEqual(world.types, [])
  })

  it('gives secrets alone while it is not known what the pod is', async () => {
    const world = new World()
    world.set({ svid: await newSvid(), state: { mesh, synced: true } })
    assert.deepEqual(world.types, [TYPE.secret])
  })

  it('gives secrets alone while the mesh is known in part', async () => {
    const world = new World()
    world.set({ svid: await newSvid(), state: { ...known(), synced: false } })
    assert.deepEqual(world.types, [TYPE.secret])
  })

  it('opens when certificate, mesh and workload are there', async () => {
    const world = new World()
    world.set({ svid: await newSvid(), state: known() })
    assert.ok(world.types.includes(TYPE.listener))
  })
})

describe('the port of probes', () => {
  it('is there for a pod that has some, and opens with the gate', async () => {
    const probe = { container: 'orders', kind: 'liveness', protocol: 'tcp', port: 8080 } as const
    const world = new World()
    const listeners = () => world.snapshots.sourceFor(`pod:${UID}`)?.current().types.get(TYPE.listener)
    world.set({ svid: await newSvid(), volumes: new Map([[UID, { ...volume, probes: [probe] }]]) })
    assert.equal(listeners(), undefined)
    world.set({ state: known() })
    assert.ok(listeners()?.has('probes'))
    world.set({ volumes: new Map([[UID, volume]]) })
    assert.equal(listeners()?.has('probes'), false)
  })
})

describe('what a running proxy has', () => {
  it('stays when the authority forgets the pod, and its certificate goes on being replaced', async () => {
    const world = new World()
    world.set({ svid: await newSvid(), state: known() })
    const source = world.snapshots.sourceFor(`pod:${UID}`)
    const before = source?.current()
    const next = await newSvid()
    world.set({ svid: next, state: { workloads: new Map() } })
    const after = source?.current()
    assert.deepEqual(
      [...(after?.types.get(TYPE.listener)?.values() ?? [])],
      [...(before?.types.get(TYPE.listener)?.values() ?? [])]
    )
    assert.notEqual(
      after?.types.get(TYPE.secret)?.get('default')?.version,
      before?.types.get(TYPE.secret)?.get('default')?.version
    )
  })

  it('stays when its certificate is gone', async () => {
    const world = new World()
    world.set({ svid: await newSvid(), state: known() })
    world.set({ svid: undefined })
    assert.ok(world.types.includes(TYPE.listener))
  })

  it('is announced to subscribers, and only when it changes', async () => {
    const world = new World()
    let told = 0
    const unsubscribe = world.snapshots.sourceFor(`pod:${UID}`)?.subscribe(() => {
      told++
    })
    world.set({ svid: await newSvid() })
    assert.equal(told, 0)
    world.set({ state: known() })
    assert.ok(told > 0)
    unsubscribe?.()
    const last = told
    world.set({ svid: await newSvid() })
    assert.equal(told, last)
  })
})

describe('peers', () => {
  it('are pods of this node, and nobody else', () => {
    const { snapshots } = new World()
    assert.ok(snapshots.sourceFor(`pod:${UID}`))
    for (const peer of ['', 'pod:', 'pod:other', UID, `agent:${UID}`, `pod:${UID}/..`])
      assert.equal(snapshots.sourceFor(peer), undefined)
  })

  it('are gone when their volume is', async () => {
    const world = new World()
    world.set({ svid: await newSvid(), state: known(), volumes: new Map() })
    assert.equal(world.snapshots.sourceFor(`pod:${UID}`), undefined)
  })
})

describe('explicit interception', () => {
  it('withholds listeners from a pod that does not say where its application listens, and says so once', async () => {
    const world = new World('explicit')
    world.set({ volumes: new Map([[UID, { ...volume, attributes: {} }]]), svid: await newSvid(), state: known() })
    world.set({ svid: await newSvid() })
    assert.deepEqual(world.types, [TYPE.secret])
    const said = world.lines.filter(line => line.includes('countersign.dev/application-address'))
    assert.equal(said.length, 1)
  })

  it('withholds listeners from a pod whose application would be its own proxy', async () => {
    const world = new World('explicit')
    const own = { ...volume, attributes: { 'countersign.dev/application-address': '10.0.0.1' } }
    world.set({ volumes: new Map([[UID, own]]), svid: await newSvid(), state: known() })
    assert.deepEqual(world.types, [TYPE.secret])
    assert.ok(world.lines.some(line => line.includes("pod's own")))
  })
})
