// What a real API server lets the authority write into the status of a Service, with the role and the admission policy
// of the chart.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { PROTOCOL_CONFLICT } from '../../authority/status/index.ts'
import { until } from '../cluster/until.ts'
import { type ApiServer, startApiServer } from './api-server.ts'
import { find, NAMESPACE, render } from './helm.ts'

const AUTHORITY = `system:serviceaccount:${NAMESPACE}:countersign-authority`
const SERVICES = '/api/v1/namespaces/shop/services'
const DEADLINE_MS = 180_000
const MERGE = 'application/merge-patch+json'

const POLICY = 'countersign-authority-services'
const OBJECTS = [
  ['ClusterRole', 'countersign-authority', '/apis/rbac.authorization.k8s.io/v1/clusterroles'],
  ['ClusterRoleBinding', 'countersign-authority', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'],
  ['ValidatingAdmissionPolicy', POLICY, '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies'],
  [
    'ValidatingAdmissionPolicyBinding',
    POLICY,
    '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings'
  ]
] as const

const condition = (type: string, status = 'True') => ({
  ...{ type, status, reason: 'ProtocolsDiffer', message: 'x' },
  lastTransitionTime: '2026-01-01T00:00:00Z'
})
const OTHER = condition('example.com/Ready')
const OWN = condition(PROTOCOL_CONFLICT)

describe('the status of a Service', { timeout: 600_000 }, () => {
  let server: ApiServer
  const patch = (body: object, path = `${SERVICES}/web/status`) => server.send('PATCH', path, body, MERGE, AUTHORITY)
  const stored = async () => JSON.parse((await server.send('GET', `${SERVICES}/web`)).body)

  before(async () => {
    server = await startApiServer()
    const created = async (path: string, object: object): Promise<void> => {
      const { status, body } = await server.send('POST', path, object)
      assert.equal(status, 201, body)
    }
    const manifests = render()
    await created('/api/v1/namespaces', { metadata: { name: 'shop' } })
    for (const [kind, name, path] of OBJECTS) await created(path, find(manifests, kind, name))
    const ports = [{ name: 'http', port: 80 }]
    await created(SERVICES, { metadata: { name: 'web', labels: { a: 'b' } }, spec: { type: 'LoadBalancer', ports } })
    // The API server learns of role and policy by watches of its own. Each attempt is another change.
    let attempts = 0
    let answer = ''
    const isHeld = async (): Promise<true | undefined> => {
      answer = (await patch({ status: { loadBalancer: { ingress: [{ hostname: `${attempts++}.test` }] } } })).body
      return /may not change/.test(answer) || undefined
    }
    await until(isHeld, DEADLINE_MS, () => new Error(`the policy is not in force: ${answer}`))
    const status = { conditions: [OTHER], loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }
    assert.equal((await server.send('PATCH', `${SERVICES}/web/status`, { status }, MERGE)).status, 200)
  })
  after(() => server.stop())

  it('takes the condition of the authority beside those of others, and its end', async () => {
    for (const own of [OWN, { ...OWN, message: 'y' }, condition(PROTOCOL_CONFLICT, 'False')]) {
      const { status, body } = await patch({ status: { conditions: [OTHER, own] } })
      assert.equal(status, 200, body)
      assert.deepEqual((await stored()).status.conditions, [OTHER, own])
    }
    assert.equal((await patch({ status: { conditions: [OTHER] } })).status, 200)
  })

  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'x' }
  const refused: Readonly<Record<string, object>> = {
    'an address of a load balancer': { status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } } },
    'another address beside': { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'x.test' }] } } },
    'no address any more': { status: { loadBalancer: null } },
    'a label': { metadata: { labels: { app: 'x' } } },
    'no label any more': { metadata: { labels: null } },
    'an annotation': { metadata: { annotations: { 'countersign.dev/service-accounts': '' } } },
    'a finalizer': { metadata: { finalizers: ['example.com/x'] } },
    'an owner': { metadata: { ownerReferences: [owner] } },
    'a condition of others': { status: { conditions: [OTHER, condition('example.com/New')] } },
    'another status in a condition of others': { status: { conditions: [{ ...OTHER, status: 'False' }, OWN] } },
    'no condition of others any more': { status: { conditions: [OWN] } },
    'no status at all': { status: null },
    'an address beside its own condition': {
      status: { conditions: [OTHER, OWN], loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } }
    }
  }
  for (const [what, body] of Object.entries(refused))
    it(`does not take from the authority ${what}`, async () => {
      const old = await stored()
      const answer = await patch(body)
      assert.equal(answer.status, 403, answer.body)
      assert.match(answer.body, /the authority of Countersign may/)
      assert.deepEqual(await stored(), old)
    })

  it('is no way to the spec, which the authority may not write otherwise', async () => {
    const { spec } = await stored()
    const other = { spec: { selector: { app: 'x' }, externalIPs: ['198.51.100.1'] } }
    await patch(other)
    assert.equal((await patch(other, `${SERVICES}/web`)).status, 403)
    assert.deepEqual((await stored()).spec, spec)
  })

  it('is written by others as before', async () => {
    const status = { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } }
    assert.equal((await server.send('PATCH', `${SERVICES}/web/status`, { status }, MERGE)).status, 200)
  })
})
