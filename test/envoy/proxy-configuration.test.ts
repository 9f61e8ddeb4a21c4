// Every kind of configuration that agent/proxy makes, before the judge that matters: Envoy.

import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  EVERY_PROTOCOL,
  manyServices,
  newRoot,
  newState,
  newSvid,
  newWorkload,
  spiffeId,
  withTls12
} from '../../agent/proxy/fixtures.test-support.ts'
import { composeSnapshot, type Interception } from '../../agent/proxy/index.ts'
import { createBootstrap } from '../../shared/bootstrap/index.ts'
import type { Probe } from '../../shared/probes/index.ts'
import {
  type EndUserChecks,
  EndUserChecksSchema,
  MutualTlsMode,
  Protocol
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Issuer } from '../../shared/x509/index.ts'
import { keySet, newSigningKey } from '../oidc/index.ts'
import { validateConfig, validateSnapshot } from './index.ts'

type EndUserChecksInit = Exclude<MessageInitShape<typeof EndUserChecksSchema>, EndUserChecks>

const bootstrap = createBootstrap({
  nodeId: 'b1946ac9-0000-4000-8000-000000000001',
  nodeCluster: 'shop/orders-0',
  socketPath: '/run/countersign/agent.sock'
})

const INTERCEPTIONS: Readonly<Record<string, Interception>> = {
  'a redirected': { kind: 'redirect' },
  'an explicit': { kind: 'explicit', applicationAddress: '127.83.1.1' }
}
const MODES = { strict: MutualTlsMode.STRICT, permissive: MutualTlsMode.PERMISSIVE, disabled: MutualTlsMode.DISABLE }
const ADDRESSES = {
  ipv4: ['10.1.0.7'],
  ipv6: ['fd00:1::7'],
  'dual-stack': ['10.1.0.7', 'fd00:1::7']
} as const

const PROBES: readonly Probe[] = [
  { container: 'db', kind: 'readiness', protocol: 'tcp', port: 5432 },
  { container: 'rpc', kind: 'liveness', protocol: 'grpc', port: 9000, service: 'ü'.repeat(4_000) },
  {
    container: 'orders',
    kind: 'preStop',
    protocol: 'http',
    port: 8080,
    path: '/ready?a=%20',
    scheme: 'HTTP',
    headers: []
  },
  {
    container: 'orders',
    kind: 'liveness',
    protocol: 'http',
    port: 8443,
    path: '/',
    scheme: 'HTTPS',
    host: 'orders.example',
    headers: [
      ['X-Probe', `100% %REQ(a)% ü ${'%'.repeat(4_000)}`],
      ['X-Probe', ''],
      ['accept', '']
    ]
  }
]

const KEYS = { keys: keySet(newSigningKey('RS256'), newSigningKey('ES384'), newSigningKey('EdDSA')) }
const PROVIDER = { name: 'provider', issuer: 'https://issuer.test', keySet: 'keys' }
const EVERYWHERE = { providers: ['provider'], required: true }

const signingIn = (tokenEndpoint: string) => ({
  name: 'web',
  issuer: 'https://accounts.test',
  keySet: 'keys',
  login: {
    clientId: 'web',
    secret: 'shop/web',
    scopes: ['openid'],
    redirectPath: '/oauth2/callback',
    signOutPath: '/oauth2/sign-out',
    authorizationEndpoint: 'https://accounts.test/auth',
    tokenEndpoint
  }
})

const END_USERS: Readonly<Record<string, { checks: EndUserChecksInit; keySets: Readonly<Record<string, string>> }>> = {
  'browsers that sign in, at an issuer with TLS': {
    checks: { providers: [signingIn('https://accounts.test/token')], rules: [{ providers: ['web'], required: true }] },
    keySets: {}
  },
  'browsers that sign in, at an address without': {
    checks: {
      providers: [signingIn('http://127.0.0.1:8080/token')],
      rules: [{ excludePaths: ['/assets/*'], providers: ['web'], required: true }]
    },
    keySets: {}
  },
  'every request with a token': { checks: { providers: [PROVIDER], rules: [EVERYWHERE] }, keySets: KEYS },
  'no rule at all': { checks: { providers: [PROVIDER] }, keySets: KEYS },
  'keys that nobody has heard of yet': { checks: { providers: [PROVIDER], rules: [EVERYWHERE] }, keySets: {} },
  'keys that there are not': { checks: { providers: [PROVIDER], rules: [EVERYWHERE] }, keySets: { keys: '' } },
  'a token where there is one': {
    checks: { providers: [PROVIDER], rules: [{ ...EVERYWHERE, required: false }] },
    keySets: KEYS
  },
  'several issuers': {
    checks: {
      providers: ['a', 'b', 'c'].map(name => ({ ...PROVIDER, name, issuer: `https://${name}.test` })),
      rules: [
        { providers: ['a', 'b'], required: true, includePaths: ['/x'] },
        { providers: ['a', 'b', 'c'], required: false }
      ]
    },
    keySets: KEYS
  },
  'everything that there is': {
    checks: {
      providers: [
        {
          ...PROVIDER,
          name: 'shop/a "name" with [everything]',
          audiences: ['web', 'https://shop.test'],
          fromHeaders: [
            { name: 'Authorization', prefix: 'Bearer ' },
            { name: 'x-token', prefix: '' }
          ],
          fromParams: ['token', 'a"b'],
          fromCookies: ['session'],
          forward: false,
          payloadHeader: 'x-user',
          claimHeaders: [
            { header: 'x-user.name+roles', claim: 'realm.roles' },
            { header: `x-${'long-'.repeat(60)}`, claim: 'a'.repeat(200) }
          ],
          requireExpiration: true,
          spaceDelimitedClaims: ['groups', 'scope']
        }
      ],
      rules: [
        {
          providers: ['shop/a "name" with [everything]'],
          required: true,
          includePaths: [
            '/api/*',
            '*.html',
            '/a*',
            '/users/{id}/keys',
            '/files/{**}',
            '/a+(b)$',
            `/${'long/'.repeat(200)}*`
          ],
          excludePaths: ['/api/open/*', '/a%40b', '/café', `/${'long/'.repeat(200)}open`],
          methods: ['GET', 'M-SEARCH']
        }
      ]
    },
    keySets: KEYS
  },
  'sixty-four paths': {
    checks: {
      providers: [PROVIDER],
      rules: [
        {
          ...EVERYWHERE,
          includePaths: Array.from({ length: 64 }, (_, index) => `/api/v1/department-${index}/{id}/documents/*`),
          excludePaths: Array.from({ length: 64 }, (_, index) => `/api/v1/department-${index}/public/documents/*`)
        }
      ]
    },
    keySets: KEYS
  }
}

describe('Envoy', () => {
  let root: Issuer
  let foreign: Issuer
  before(async () => {
    root = await newRoot()
    foreign = await newRoot()
  })

  it('accepts the bootstrap', () => validateConfig(bootstrap))

  it('refuses a bootstrap that it should refuse, so that its word counts', async () => {
    await assert.rejects(
      validateConfig({ ...(bootstrap as object), admin: { address: { pipe: { path: 'x'.repeat(200) } } } }),
      /exceeds maximum UNIX domain socket path size/
    )
  })

  for (const [how, interception] of Object.entries(INTERCEPTIONS))
    it(`accepts ${how} pod that takes TLS 1.2 from clients without a proxy`, async () => {
      const state = withTls12(newState({ roots: [root] }))
      const workload = newWorkload({
        ports: [...EVERY_PROTOCOL, Protocol.UNSPECIFIED].map((protocol, index) => ({ number: 8080 + index, protocol }))
      })
      const svid = await newSvid(root, spiffeId('shop', 'orders'))
      await validateSnapshot(bootstrap, composeSnapshot(state, { workload, svid, interception, probes: [] }))
    })

  for (const [how, interception] of Object.entries(INTERCEPTIONS))
    for (const [kind, { checks, keySets }] of Object.entries(END_USERS))
      it(`accepts ${how} pod with end users: ${kind}`, async () => {
        const state = newState({ roots: [root], keySets, loginSecrets: { 'shop/web': 'a secret' } })
        const workload = newWorkload({
          ports: [...EVERY_PROTOCOL, Protocol.UNSPECIFIED].map((protocol, index) => ({
            number: 8080 + index,
            protocol
          })),
          endUsers: create(EndUserChecksSchema, checks)
        })
        const svid = await newSvid(root, spiffeId('shop', 'orders'))
        await validateSnapshot(bootstrap, composeSnapshot(state, { workload, svid, interception, probes: [] }))
      })

  for (const [how, interception] of Object.entries(INTERCEPTIONS))
    for (const [mode, value] of Object.entries(MODES))
      for (const [family, addresses] of Object.entries(ADDRESSES))
        for (const count of [0, 1, 200]) {
          // Size has nothing to do with modes and families: once each is enough.
          if (count === 200 && (mode !== 'permissive' || family === 'dual-stack')) continue
          it(`accepts ${how} ${mode} pod with ${family} among ${count} services`, async () => {
            const state = newState({
              roots: [root],
              foreign: { 'other.test': foreign },
              ...manyServices(count, family === 'ipv6' ? 'ipv6' : 'ipv4')
            })
            const workload = newWorkload({
              addresses: [...addresses],
              ports: [...EVERY_PROTOCOL, Protocol.UNSPECIFIED].map((protocol, index) => ({
                number: 8080 + index,
                protocol,
                reason: `port name "${index}" of Service shop/orders`
              })),
              mode: value,
              portModes: { 9090: MutualTlsMode.DISABLE, 9091: MutualTlsMode.STRICT }
            })
            const svid = await newSvid(root, spiffeId('shop', 'orders'))
            const snapshot = composeSnapshot(state, { workload, svid, interception, probes: PROBES })
            await validateSnapshot(bootstrap, snapshot)
          })
        }
})
