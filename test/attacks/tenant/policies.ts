// A tenant whose policy has a field or a value that Countersign does not know: misspelled, of a newer version, or meant
// for something else.

import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type MeshState, meshState } from '../../../authority/naming/index.ts'
import { settings } from '../../../authority/naming/mesh.test-support.ts'
import { systemClock } from '../../../shared/clock/index.ts'
import { KubernetesSource } from '../../../shared/inventory/kubernetes/index.ts'
import { FakeApiServer } from '../../../shared/kube/api-server.test-support.ts'
import { COLLECTIONS, collectionPath } from '../../../shared/kube/index.ts'
import { clientOf, recordingLogger } from '../../../shared/kube/kube.test-support.ts'
import { MutualTlsMode, type Workload } from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type TypedObject, validatePolicy } from '../../../webhook/validation/index.ts'

type Path = readonly (string | number)[]

interface Base {
  readonly collection: keyof typeof COLLECTIONS
  readonly apiVersion: string
  readonly kind: string
  readonly spec: object
  /** The objects in it that have fields. */
  readonly levels: readonly Path[]
}

const selector = { matchLabels: { app: 'web' } }
const token = {
  issuer: 'https://a.test',
  audiences: ['a'],
  jwksUri: 'https://a.test/keys',
  fromHeaders: [{ name: 'x-token', prefix: 'Bearer ' }],
  outputClaimToHeaders: [{ header: 'x-user', claim: 'sub' }]
}
const login = {
  clientId: 'web',
  clientSecret: { name: 'web', key: 'k' },
  authorizationEndpoint: 'https://a.test/a',
  tokenEndpoint: 'https://a.test/t'
}

/** As open as each kind can be, so that every closing is one that the field has caused. */
const BASES: readonly Base[] = [
  {
    collection: 'peerAuthentications',
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    spec: { selector, mtls: { mode: 'DISABLE' }, portLevelMtls: { '8080': { mode: 'DISABLE' } } },
    levels: [[], ['spec'], ['spec', 'selector'], ['spec', 'mtls'], ['spec', 'portLevelMtls', '8080']]
  },
  {
    collection: 'requestAuthentications',
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    spec: {
      selector,
      jwtRules: [
        { ...token, presence: 'OPTIONAL' },
        { issuer: 'https://b.test', audiences: ['b'] }
      ]
    },
    levels: [
      [],
      ['spec'],
      ['spec', 'selector'],
      ['spec', 'jwtRules', 0],
      ['spec', 'jwtRules', 1],
      ['spec', 'jwtRules', 0, 'fromHeaders', 0],
      ['spec', 'jwtRules', 0, 'outputClaimToHeaders', 0]
    ]
  },
  {
    collection: 'endUserAuthentications',
    apiVersion: 'countersign.dev/v1',
    kind: 'EndUserAuthentication',
    spec: { selector, ...token, includePaths: ['/x'], excludePaths: ['/x/open'], methods: ['GET'], login },
    levels: [
      [],
      ['spec'],
      ['spec', 'selector'],
      ['spec', 'fromHeaders', 0],
      ['spec', 'outputClaimToHeaders', 0],
      ['spec', 'login'],
      ['spec', 'login', 'clientSecret']
    ]
  }
]

/** Names that a level may lack: of Istio, of versions to come, misspelled, and such as programs trip over. */
const FIELDS: Readonly<Record<string, unknown>> = {
  selectors: { matchLabels: { app: 'other' } },
  Selector: selector,
  matchlabels: { app: 'web' },
  targetRef: { kind: 'Gateway', name: 'g' },
  targetRefs: [{ kind: 'Gateway', name: 'g' }],
  Presence: 'REQUIRED',
  jwt_rules: [],
  jwtrules: [],
  port_level_mtls: { '8080': { mode: 'STRICT' } },
  excludepaths: ['/'],
  modes: 'STRICT',
  optional: true,
  '': 1,
  ' spec': {},
  constructor: {},
  toString: 'x',
  hasOwnProperty: 1,
  'a.b': null,
  nothing: null,
  nested: { more: [{ more: {} }] }
}
const WRONG: readonly unknown[] = [null, 5, -1, true, '', 'x', '*', [], [[]], ['x'], {}, { a: 1 }]

type Mutable = Record<string | number, unknown>

function changed(base: Base, at: Path, change: (level: Mutable) => void): Mutable {
  const { apiVersion, kind, spec } = base
  const object: Mutable = structuredClone({ apiVersion, kind, spec })
  change(at.reduce<Mutable>((level, key) => level[key] as Mutable, object))
  return object
}

/** As the API server sends it: a key __proto__ is one like any other. */
function withMetadata(object: Mutable, namespace: string): Mutable {
  const copy = JSON.parse(JSON.stringify(object)) as Mutable
  copy['metadata'] = { name: 'p', namespace }
  return copy
}

interface Variant {
  readonly base: Base
  readonly says: string
  readonly object: Mutable
}

const withField = (base: Base, at: Path, key: string, value: unknown): Variant => ({
  base,
  says: `${base.kind}: ${[...at, JSON.stringify(key)].join('.')}`,
  object: changed(base, at, level => Object.defineProperty(level, key, { value, enumerable: true }))
})

const UNKNOWN: readonly Variant[] = BASES.flatMap(base =>
  base.levels.flatMap(at =>
    [...Object.entries(FIELDS), ['__proto__', { mode: 'STRICT' }] as const].map(([key, value]) =>
      withField(base, at, key, value)
    )
  )
)

/** Every known field with every value that is wrong for it. */
const MISTAKEN: readonly Variant[] = BASES.flatMap(base =>
  [...base.levels.slice(1)].flatMap(at =>
    Object.keys(at.reduce<Mutable>((level, key) => level[key] as Mutable, { spec: base.spec })).flatMap(key =>
      WRONG.map(value => ({
        base,
        says: `${base.kind}: ${[...at, key].join('.')} is ${JSON.stringify(value)}`,
        object: changed(base, at, level => {
          level[key] = value
        })
      }))
    )
  )
)

const isClosed = ({ endUsers }: Workload): boolean => {
  const first = endUsers?.rules[0]
  const provider = endUsers?.providers.find(({ name }) => name === first?.providers[0])
  const everything = [first?.includePaths, first?.excludePaths, first?.methods, first?.exemptPorts]
  return (
    first?.required === true &&
    everything.every(list => list?.length === 0) &&
    provider?.issuer === 'countersign.dev/no-issuer' &&
    endUsers?.providers.every(({ login }) => login === undefined) === true
  )
}

describe('a tenant who can write policies', () => {
  const closers: (() => unknown)[] = []
  after(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  /** What agents are told where each variant is alone in a namespace, with a pod that it selects and one that it does not. */
  const meshOf = async (variants: readonly Variant[]): Promise<(index: number, app: string) => Workload> => {
    const place = await FakeApiServer.start()
    closers.push(() => place.close())
    const pod = (namespace: string, app: string): void => {
      place.put(collectionPath(COLLECTIONS.pods), {
        metadata: { name: app, namespace, uid: `${namespace}-${app}`, labels: { app } },
        spec: {
          serviceAccountName: app,
          nodeName: 'node-1',
          initContainers: [
            { name: 'countersign-proxy', restartPolicy: 'Always', volumeMounts: [{ name: 'countersign' }] }
          ],
          containers: [{ name: 'app', ports: [{ containerPort: 8080 }] }],
          volumes: [{ name: 'countersign', csi: { driver: 'csi.countersign.dev', volumeAttributes: {} } }]
        },
        status: { phase: 'Running', podIP: '10.0.0.1' }
      })
    }
    pod('bystander', 'web')
    for (const [index, { base, object }] of variants.entries()) {
      const namespace = `tenant-${index}`
      pod(namespace, 'web')
      pod(namespace, 'other')
      place.put(collectionPath(COLLECTIONS[base.collection]), withMetadata(object, namespace))
    }
    const client = await clientOf(place)
    closers.push(() => client.close())
    const { log } = recordingLogger()
    const source = new KubernetesSource({ client, clock: systemClock, random: Math.random, log })
    closers.push(() => source.close())
    await source.synced
    const state: MeshState = meshState(source.current(), settings)
    const workloads = state.workloadsByNode.get('node-1')
    const bystander = workloads?.get('bystander-web')
    assert.deepEqual([bystander?.mode, bystander?.endUsers], [MutualTlsMode.PERMISSIVE, undefined])
    return (index, app) => {
      const workload = workloads?.get(`tenant-${index}-${app}`)
      assert.ok(workload)
      return workload
    }
  }

  const judge = ({ base, says }: Variant, workload: Workload): void => {
    if (base.kind === 'PeerAuthentication')
      assert.deepEqual([workload.mode, workload.portModes], [MutualTlsMode.STRICT, {}], says)
    else assert.ok(isClosed(workload), `${says} left the workload open`)
  }
  const isRefused = ({ object }: Variant): boolean =>
    validatePolicy(withMetadata(object, 'shop') as unknown as TypedObject).kind === 'refuse'

  it('cannot have one with an unknown field stored, on whatever level it is', t => {
    for (const variant of UNKNOWN) assert.ok(isRefused(variant), `${variant.says} was accepted`)
    t.diagnostic(`${UNKNOWN.length} variants refused`)
  })

  it('opens nothing by one that came past the webhook: what it selects is closed', async t => {
    const workload = await meshOf(UNKNOWN)
    for (const [index, variant] of UNKNOWN.entries()) judge(variant, workload(index, 'web'))
    t.diagnostic(`${UNKNOWN.length} variants closed`)
  })

  it('opens nothing by a known field with a wrong value', async t => {
    const wrong = MISTAKEN.filter(isRefused)
    const workload = await meshOf(wrong)
    for (const [index, variant] of wrong.entries()) judge(variant, workload(index, 'web'))
    t.diagnostic(`${wrong.length} of ${MISTAKEN.length} variants are wrong, each closed`)
    assert.ok(wrong.length > 200)
  })

  it('closes no more than the selector says where all of it is understood, and never another namespace', async t => {
    const understood = UNKNOWN.filter(({ says }) => !says.includes('spec.selector.'))
    const workload = await meshOf(understood)
    for (const index of understood.keys()) {
      const { mode, endUsers } = workload(index, 'other')
      assert.deepEqual([mode, endUsers], [MutualTlsMode.PERMISSIVE, undefined], understood[index]?.says)
    }
    t.diagnostic(`${understood.length} variants left others as they were`)
  })

  it('closes its whole namespace where the selector is not understood', async t => {
    const doubtful = UNKNOWN.filter(({ says }) => says.includes('spec.selector.'))
    const workload = await meshOf(doubtful)
    for (const [index, variant] of doubtful.entries()) judge(variant, workload(index, 'other'))
    t.diagnostic(`${doubtful.length} variants`)
  })
})
