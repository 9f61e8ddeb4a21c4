import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Pod } from '../../shared/inventory/index.ts'
import type { EndUserChecks } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { EndUserPolicies, endUserChecks, tokenSources } from './end-user-policy.ts'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  requestAuthentication,
  settings
} from './mesh.test-support.ts'
import { meshState } from './mesh-state.ts'

const ROOT = 'countersign-system'
const app = { app: 'orders' }

function checksOf(
  manifests: readonly Manifest[],
  workload: Pick<Pod, 'namespace' | 'labels'> = { namespace: 'shop', labels: app }
): EndUserChecks | undefined {
  const { endUserAuthentications, requestAuthentications } = inventoryOf(manifests)
  const policies = new EndUserPolicies(endUserAuthentications, requestAuthentications, ROOT)
  return endUserChecks(policies.selecting(workload), settings.keySetName, () => undefined)
}

interface Row {
  readonly title: string
  readonly manifests: readonly Manifest[]
  /** Names of providers and, for each rule, whether a token is required and of whom. */
  readonly providers: readonly string[]
  readonly rules: readonly string[]
}

const ROWS: readonly Row[] = [
  {
    title: 'a RequestAuthentication without a selector holds for its namespace, and requires nothing',
    manifests: [requestAuthentication()],
    providers: ['RequestAuthentication/shop/web/0'],
    rules: ['accepts RequestAuthentication/shop/web/0']
  },
  {
    title: 'one with a selector holds for the pods that have its labels',
    manifests: [requestAuthentication({ selector: app })],
    providers: ['RequestAuthentication/shop/web/0'],
    rules: ['accepts RequestAuthentication/shop/web/0']
  },
  {
    title: 'one for other labels says nothing',
    manifests: [requestAuthentication({ selector: { app: 'x' } })],
    providers: [],
    rules: []
  },
  {
    title: 'one for more labels than the pod has says nothing',
    manifests: [requestAuthentication({ selector: { ...app, tier: 'x' } })],
    providers: [],
    rules: []
  },
  {
    title: 'one of another namespace says nothing',
    manifests: [requestAuthentication({ namespace: 'other' })],
    providers: [],
    rules: []
  },
  {
    title: 'one of the root namespace holds for the mesh, with a selector too',
    manifests: [requestAuthentication({ namespace: ROOT, selector: app })],
    providers: [`RequestAuthentication/${ROOT}/web/0`],
    rules: [`accepts RequestAuthentication/${ROOT}/web/0`]
  },
  {
    title: 'all that select a pod hold together, sorted by issuer',
    manifests: [
      requestAuthentication({
        name: 'z',
        spec: { jwtRules: [{ issuer: 'https://c.test' }, { issuer: 'https://a.test' }] }
      }),
      requestAuthentication({ namespace: ROOT, name: 'y', spec: { jwtRules: [{ issuer: 'https://b.test' }] } })
    ],
    providers: [
      'RequestAuthentication/shop/z/1',
      `RequestAuthentication/${ROOT}/y/0`,
      'RequestAuthentication/shop/z/0'
    ],
    rules: [`accepts RequestAuthentication/shop/z/1 RequestAuthentication/${ROOT}/y/0 RequestAuthentication/shop/z/0`]
  },
  {
    title: 'an EndUserAuthentication requires a token of its issuer',
    manifests: [endUserAuthentication({ selector: app })],
    providers: ['EndUserAuthentication/shop/web'],
    rules: ['requires EndUserAuthentication/shop/web']
  },
  {
    title: 'of several the oldest is asked first, then the first by name',
    manifests: [
      endUserAuthentication({ name: 'young', created: 20 }),
      endUserAuthentication({ name: 'b', created: 10 }),
      endUserAuthentication({ name: 'a', created: 10 }),
      endUserAuthentication({ name: 'from-a-file', namespace: ROOT })
    ],
    providers: [
      `EndUserAuthentication/${ROOT}/from-a-file`,
      'EndUserAuthentication/shop/a',
      'EndUserAuthentication/shop/b',
      'EndUserAuthentication/shop/young'
    ],
    rules: [
      `requires EndUserAuthentication/${ROOT}/from-a-file`,
      'requires EndUserAuthentication/shop/a',
      'requires EndUserAuthentication/shop/b',
      'requires EndUserAuthentication/shop/young'
    ]
  },
  {
    title: 'what accepts comes after what requires',
    manifests: [requestAuthentication(), endUserAuthentication()],
    providers: ['EndUserAuthentication/shop/web', 'RequestAuthentication/shop/web/0'],
    rules: ['requires EndUserAuthentication/shop/web', 'accepts RequestAuthentication/shop/web/0']
  },
  {
    title: 'a RequestAuthentication without rules asks nothing',
    manifests: [requestAuthentication({ spec: { jwtRules: [] } })],
    providers: [],
    rules: []
  }
]

describe('policies on end users', () => {
  for (const { title, manifests, providers, rules } of ROWS)
    it(title, () => {
      const checks = checksOf(manifests)
      assert.deepEqual(
        (checks?.providers ?? []).map(({ name }) => name),
        providers
      )
      assert.deepEqual(
        (checks?.rules ?? []).map(
          ({ required, providers }) => `${required ? 'requires' : 'accepts'} ${providers.join(' ')}`
        ),
        rules
      )
    })

  it('are as if they were not for a pod that none selects', () => {
    assert.equal(checksOf([requestAuthentication({ namespace: 'other' })]), undefined)
  })

  it('hold in the root namespace once', () => {
    const checks = checksOf([requestAuthentication({ namespace: ROOT })], { namespace: ROOT, labels: {} })
    assert.equal(checks?.providers.length, 1)
  })

  it('of our own kind look for the header alone and want an end, where nothing else is said', () => {
    const [provider] = checksOf([endUserAuthentication()])?.providers ?? []
    assert.equal(provider?.requireExpiration, true)
    assert.deepEqual(
      provider?.fromHeaders.map(({ name, prefix }) => ({ name, prefix })),
      [{ name: 'authorization', prefix: 'Bearer ' }]
    )
    const [cookie] = checksOf([endUserAuthentication({ spec: { fromCookies: ['session'] } })])?.providers ?? []
    assert.deepEqual([cookie?.fromCookies, cookie?.fromHeaders], [['session'], []])
  })

  it("of Istio's kind leave both to Istio's defaults", () => {
    const [provider] = checksOf([requestAuthentication()])?.providers ?? []
    assert.equal(provider?.requireExpiration, false)
    assert.deepEqual(provider?.fromHeaders, [])
  })

  it('say everything that they have', () => {
    const spec = {
      issuer: 'https://b.test',
      jwksUri: 'https://b.test/keys',
      audiences: ['web', 'app'],
      includePaths: ['/api/*'],
      excludePaths: ['/api/health'],
      methods: ['GET'],
      fromHeaders: [{ name: 'x-token', prefix: 'T ' }],
      fromParams: ['token'],
      fromCookies: ['session'],
      forwardOriginalToken: true,
      outputPayloadToHeader: 'x-user',
      outputClaimToHeaders: [{ header: 'x-email', claim: 'email' }]
    }
    const checks = checksOf([endUserAuthentication({ spec })])
    const [provider] = checks?.providers ?? []
    const [rule] = checks?.rules ?? []
    assert.deepEqual(
      [provider?.issuer, provider?.keySet, provider?.audiences, provider?.forward, provider?.payloadHeader],
      ['https://b.test', 'https://b.test/keys', ['web', 'app'], true, 'x-user']
    )
    assert.deepEqual(
      [provider?.fromParams, provider?.fromCookies, provider?.fromHeaders[0]?.prefix, provider?.claimHeaders[0]?.claim],
      [['token'], ['session'], 'T ', 'email']
    )
    assert.deepEqual([rule?.includePaths, rule?.excludePaths, rule?.methods], [['/api/*'], ['/api/health'], ['GET']])
  })

  it('name all sources of tokens, whomever they select', () => {
    const inventory = inventoryOf([requestAuthentication({ namespace: 'nowhere' }), endUserAuthentication()])
    assert.deepEqual(
      tokenSources(inventory).map(({ issuer }) => issuer),
      ['https://b.test', 'https://a.test']
    )
  })
})

describe('an EndUserAuthentication on ports that are not HTTP', () => {
  const ports = [
    { name: 'tcp-db', containerPort: 5432 },
    { name: 'https', containerPort: 8443 },
    { name: 'http', containerPort: 8080 },
    { containerPort: 9000 }
  ]

  it('is told of, once for all replicas', () => {
    const pods = [pod({ ports }), pod({ ports, name: 'orders-2', address: '10.0.0.2' })]
    const { problems } = meshState(inventoryOf([...pods, endUserAuthentication(), requestAuthentication()]), settings)
    assert.deepEqual(
      problems.map(({ kind, object, message }) => `${kind}: ${object} ${message}`),
      [
        'end-users-unchecked: EndUserAuthentication shop/web selects pods with port 5432 (declared TCP by port name "tcp-db" of a container): closed to callers',
        'end-users-unchecked: EndUserAuthentication shop/web selects pods with port 8443 (declared TLS by port name "https" of a container): closed to callers',
        'end-users-unchecked: EndUserAuthentication shop/web selects pods with port 9000 (no known protocol is declared): HTTP only, tokens are checked',
        'end-users-unchecked: RequestAuthentication shop/web selects pods with port 5432 (declared TCP by port name "tcp-db" of a container): closed to callers',
        'end-users-unchecked: RequestAuthentication shop/web selects pods with port 8443 (declared TLS by port name "https" of a container): closed to callers',
        'end-users-unchecked: RequestAuthentication shop/web selects pods with port 9000 (no known protocol is declared): HTTP only, tokens are checked'
      ]
    )
  })
})
