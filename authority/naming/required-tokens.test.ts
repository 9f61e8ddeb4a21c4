import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { trafficOn } from '../../shared/port-traffic/index.ts'
import { type EndUserChecks, Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  requestAuthentication,
  settings
} from './mesh.test-support.ts'
import { meshState } from './mesh-state.ts'

const jwt = (issuer: string, presence?: string) => ({
  issuer: `https://${issuer}.test`,
  ...(presence === undefined ? {} : { presence })
})
const exempting = (name: string, ports: string, ...jwtRules: readonly object[]): Manifest => ({
  ...requestAuthentication({ name, spec: { jwtRules } }),
  metadata: { name, namespace: 'shop', annotations: { 'countersign.dev/exempt-ports': ports } }
})
const web = (...jwtRules: readonly object[]) => requestAuthentication({ spec: { jwtRules } })

function checksOf(...manifests: readonly Manifest[]): EndUserChecks {
  const { workloadsByNode } = meshState(inventoryOf([pod(), ...manifests]), settings)
  const checks = workloadsByNode.get('node-1')?.get('uid-orders-1')?.endUsers
  assert.ok(checks)
  return checks
}

/** What each rule demands, short: of whom, and whether a request without a token passes. */
const rulesOf = (...manifests: readonly Manifest[]): readonly string[] =>
  checksOf(...manifests).rules.map(({ providers, required, alsoRequired, optionalProviders }) =>
    [
      required ? 'required' : 'accepted',
      providers.join(),
      ...(alsoRequired.length > 0 ? ['and', alsoRequired.join()] : []),
      ...(optionalProviders.length > 0 ? ['optional', optionalProviders.join()] : [])
    ]
      .join(' ')
      .replaceAll('RequestAuthentication/shop/', '')
      .replaceAll('EndUserAuthentication/shop/', 'eua/')
  )

describe('rules with presence: REQUIRED', () => {
  it('demand their token', () => assert.deepEqual(rulesOf(web(jwt('a', 'REQUIRED'))), ['required web/0']))

  it('leave the others optional', () =>
    assert.deepEqual(rulesOf(web(jwt('a'), jwt('b', 'REQUIRED'), jwt('c', 'OPTIONAL'))), [
      'required web/1 optional web/0,web/2'
    ]))

  it('demand each of several tokens, of several policies, too', () => {
    const other = requestAuthentication({ name: 'other', spec: { jwtRules: [jwt('b'), jwt('c', 'REQUIRED')] } })
    assert.deepEqual(rulesOf(web(jwt('a', 'REQUIRED'), jwt('d', 'REQUIRED')), other), [
      'required web/0 and other/1,web/1 optional other/0'
    ])
  })

  it('demand it on the paths of an EndUserAuthentication as well, in whatever order they were made', () => {
    const expected = ['required eua/web and web/0', 'required web/0 optional web/1']
    for (const [mine, other] of [
      [1, 2],
      [2, 1]
    ])
      assert.deepEqual(
        rulesOf(
          endUserAuthentication({ created: mine ?? 0, spec: { includePaths: ['/x'] } }),
          requestAuthentication({ created: other ?? 0, spec: { jwtRules: [jwt('a', 'REQUIRED'), jwt('b')] } })
        ),
        expected
      )
  })

  it('demand it beside that of an EndUserAuthentication only on ports that their policy does not exempt', () => {
    const onPort = (port: number, ...manifests: readonly Manifest[]): string | undefined => {
      const rule = checksOf(...manifests).rules.find(({ exemptPorts }) => !exemptPorts.includes(port))
      return rule && [...rule.providers, ...rule.alsoRequired].join().replaceAll('Authentication/shop', '')
    }
    const own = (exemptPorts?: readonly number[]) =>
      endUserAuthentication({ spec: { includePaths: ['/p'], ...(exemptPorts === undefined ? {} : { exemptPorts }) } })
    const one = exempting('one', '8080', jwt('a', 'REQUIRED'))
    assert.deepEqual(
      [80, 8080].map(port => onPort(port, one, own())),
      ['EndUser/web,Request/one/0', 'EndUser/web']
    )
    const two = exempting('two', '8080,9090', jwt('c', 'REQUIRED'), jwt('d'))
    const three = exempting('three', '7070', jwt('e'))
    const ports = [80, 7070, 8080, 9090]
    assert.deepEqual(
      ports.map(port => onPort(port, three, two, one, own())),
      [
        'EndUser/web,Request/one/0,Request/two/0',
        'EndUser/web,Request/one/0,Request/two/0',
        'EndUser/web',
        'EndUser/web,Request/one/0'
      ]
    )
    assert.deepEqual(
      ports.map(port => onPort(port, two, one, own([9090, 8080]))?.split(',')[0]),
      ['EndUser/web', 'EndUser/web', undefined, 'Request/one/0']
    )
  })

  it('change nothing where there is none', () =>
    assert.deepEqual(rulesOf(web(jwt('a'), jwt('b')), endUserAuthentication()), [
      'required eua/web',
      'accepted web/0,web/1'
    ]))

  it('close ports that are not HTTP', () => {
    const traffic = (checks: EndUserChecks) => trafficOn({ number: 5432, protocol: Protocol.TCP }, checks)
    assert.equal(traffic(checksOf(web(jwt('a')))), 'any')
    assert.equal(traffic(checksOf(web(jwt('a', 'REQUIRED')))), 'none')
  })
})
