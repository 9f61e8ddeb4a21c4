// What a real API server with the chart's definitions and a real webhook makes of fields that nobody knows, by every
// way in which people and programs write.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../shared/clock/index.ts'
import { parseOptions } from '../../shared/config/index.ts'
import { startWebhook, type Webhook } from '../../webhook/app.ts'
import { WEBHOOK_OPTIONS } from '../../webhook/options.ts'
import { recordingLogger } from '../../webhook/webhook.test-support.ts'
import { until } from '../cluster/until.ts'
import { type ApiServer, startApiServer } from './api-server.ts'
import { find, type Manifest, render } from './helm.ts'

const NAMESPACE = 'shop'
const DEADLINE_MS = 180_000

interface Kind {
  readonly kind: string
  readonly plural: string
  readonly apiVersion: string
  readonly spec: object
  /** Unknown fields, each as a spec that has it beside what is right. */
  readonly wrong: Readonly<Record<string, object>>
}

const selector = { matchLabels: { app: 'web' } }
const token = { issuer: 'https://a.test', audiences: ['a'], jwksUri: 'https://a.test/keys' }
const gateway = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'g' }]
const rule = (more: object) => ({ selector, jwtRules: [{ ...token, ...more }] })

const KINDS: readonly Kind[] = [
  {
    kind: 'PeerAuthentication',
    plural: 'peerauthentications',
    apiVersion: 'security.istio.io/v1',
    spec: { selector, mtls: { mode: 'STRICT' } },
    wrong: {
      selectors: { selectors: selector, mtls: { mode: 'DISABLE' } },
      targetRefs: { targetRefs: gateway },
      'selector.matchExpressions': { selector: { ...selector, matchExpressions: [] } },
      'mtls.modes': { mtls: { mode: 'STRICT', modes: 1 } },
      'portLevelMtls["80"].x': { selector, portLevelMtls: { '80': { mode: 'STRICT', x: 1 } } }
    }
  },
  {
    kind: 'RequestAuthentication',
    plural: 'requestauthentications',
    apiVersion: 'security.istio.io/v1',
    spec: rule({}),
    wrong: {
      selectors: { selectors: selector, jwtRules: [token] },
      targetRefs: { targetRefs: gateway, jwtRules: [token] },
      targetRef: { targetRef: gateway[0], jwtRules: [token] },
      'selector.matchLabel': { selector: { matchLabel: { app: 'web' } } },
      'jwtRules[0].presense': rule({ presense: 'REQUIRED' }),
      'jwtRules[0].fromHeaders[0].x': rule({ fromHeaders: [{ name: 'a', x: 1 }] }),
      'jwtRules[0].outputClaimToHeaders[0].x': rule({ outputClaimToHeaders: [{ header: 'a', claim: 'b', x: 1 }] })
    }
  },
  {
    kind: 'EndUserAuthentication',
    plural: 'enduserauthentications',
    apiVersion: 'countersign.dev/v1',
    spec: { selector, ...token },
    wrong: {
      selectors: { selectors: selector, ...token },
      targetRefs: { targetRefs: gateway, ...token },
      presence: { ...token, presence: 'REQUIRED' },
      'selector.x': { ...token, selector: { ...selector, x: 1 } },
      'fromHeaders[0].x': { ...token, fromHeaders: [{ name: 'a', x: 1 }] },
      'outputClaimToHeaders[0].x': { ...token, outputClaimToHeaders: [{ header: 'a', claim: 'b', x: 1 }] },
      'login.x': { issuer: 'https://a.test', login: { clientId: 'a', clientSecret: { name: 's' }, x: 1 } },
      'login.clientSecret.x': { issuer: 'https://a.test', login: { clientId: 'a', clientSecret: { name: 's', x: 1 } } }
    }
  }
]

describe('the API server with the definitions of the chart', { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-stored-'))
  let server: ApiServer
  let webhook: Webhook | undefined
  let configuration: Manifest

  const object = ({ apiVersion, kind }: Kind, name: string, spec: unknown): Manifest => ({
    apiVersion,
    kind,
    metadata: { name, namespace: NAMESPACE },
    spec
  })
  const collection = ({ apiVersion, plural }: Kind): string => `/apis/${apiVersion}/namespaces/${NAMESPACE}/${plural}`
  const post = (kind: Kind, name: string, spec: unknown) =>
    server.send('POST', collection(kind), object(kind, name, spec))
  const stored = async (kind: Kind, name: string): Promise<Manifest> =>
    JSON.parse((await server.send('GET', `${collection(kind)}/${name}`)).body)
  const judged = async (on: boolean): Promise<void> => {
    const { metadata } = configuration
    const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
    await server.send('DELETE', `${path}/${metadata.name}`)
    if (on) assert.equal((await server.send('POST', path, configuration)).status, 201)
    // The API server learns of it by a watch of its own. Only the webhook refuses this one.
    const requests = KINDS[1] as Kind
    const probe = object(requests, 'probe', { jwtRules: [{ issuer: 'me@example.com' }] })
    const asExpected = async (): Promise<true | undefined> => {
      const { status } = await server.send('POST', `${collection(requests)}?dryRun=All`, probe)
      return status === (on ? 422 : 201) || undefined
    }
    await until(asExpected, DEADLINE_MS, () => new Error('the webhook is not asked as it should be'))
  }

  before(async () => {
    server = await startApiServer()
    const bundleFile = join(folder, 'ca.pem')
    const flags = ['--listen-address=127.0.0.1:0', '--health-address=127.0.0.1:0', '--shutdown-delay=0s']
    const given = [...flags, '--dns-names=localhost', '--ca-bundle-file', bundleFile]
    const running = await startWebhook(parseOptions(WEBHOOK_OPTIONS, given, {}), recordingLogger().log, systemClock)
    webhook = running
    const manifests = render()
    for (const kind of KINDS) {
      const group = kind.apiVersion.split('/')[0]
      const { code, stderr } = await server.kubectl(
        ['create', '-f', '-'],
        find(manifests, 'CustomResourceDefinition', `${kind.plural}.${group}`)
      )
      assert.equal(code, 0, stderr)
    }
    const established = ['wait', '--for=condition=Established', 'customresourcedefinitions', '--all', '--timeout=180s']
    assert.equal((await server.kubectl(established)).code, 0)
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }
    await server.send('POST', '/api/v1/namespaces', namespace)
    const written = find(manifests, 'ValidatingWebhookConfiguration', 'countersign-webhook')
    const clientConfig = {
      url: `https://localhost:${running.address.port}/validate`,
      caBundle: readFileSync(bundleFile).toString('base64')
    }
    configuration = {
      ...written,
      metadata: { name: written['metadata'].name },
      webhooks: written['webhooks'].map((one: Manifest) => ({ ...one, clientConfig, failurePolicy: 'Fail' }))
    }
    await judged(true)
  })
  after(async () => {
    await server?.stop()
    await webhook?.close()
    rmSync(folder, { recursive: true })
  })

  for (const kind of KINDS) {
    it(`lets every unknown field of a ${kind.kind} reach the webhook, which refuses it by its path`, async t => {
      for (const [path, spec] of Object.entries(kind.wrong)) {
        const { status, body } = await post(kind, 'raw', spec)
        assert.equal(status, 422, `${path}: ${body}`)
        assert.ok(JSON.parse(body).message.includes(`spec.${path}: `), body)
      }
      const beside = { ...object(kind, 'raw', kind.spec), selector: {} }
      const { status, body } = await server.send('POST', collection(kind), beside)
      assert.equal(status, 422, body)
      t.diagnostic(`${Object.keys(kind.wrong).length + 1} fields refused`)
    })

    it(`lets nobody write one into a ${kind.kind}, in whatever way they write`, async t => {
      const name = 'ways'
      assert.equal((await post(kind, name, kind.spec)).status, 201)
      const [[path, spec] = ['', {}]] = Object.entries(kind.wrong)
      const wrong = object(kind, name, spec)
      const patch = JSON.stringify({ spec: { [path]: Object.values(spec)[0] } })
      const ways: readonly (readonly string[])[] = [
        ['apply', '-f', '-'],
        ['apply', '--validate=false', '-f', '-'],
        ['apply', '--validate=warn', '-f', '-'],
        ['apply', '--server-side', '--force-conflicts', '-f', '-'],
        ['apply', '--server-side', '--force-conflicts', '--validate=ignore', '-f', '-'],
        ['replace', '-f', '-'],
        ['patch', '-n', NAMESPACE, kind.plural, name, '--type=merge', '-p', patch]
      ]
      for (const args of ways) {
        const { code, stderr } = await server.kubectl(args, args[0] === 'patch' ? undefined : wrong)
        assert.notEqual(code, 0, args.join(' '))
        assert.match(stderr, new RegExp(`spec\\.${path}`), args.join(' '))
      }
      assert.deepEqual((await stored(kind, name))['spec'], kind.spec)
      t.diagnostic(`${ways.length} ways refused`)
    })
  }

  it('keeps labels, finalizers, status and deletion possible of a policy that was stored with one', async () => {
    await judged(false)
    const wrong = { selectors: selector, jwtRules: [token] }
    const kind = KINDS[1] as Kind
    assert.equal((await post(kind, 'old', wrong)).status, 201)
    assert.deepEqual((await stored(kind, 'old'))['spec'], wrong)
    await judged(true)
    const path = `${collection(kind)}/old`
    const merge = (body: object, suffix = '') =>
      server.send('PATCH', `${path}${suffix}`, body, 'application/merge-patch+json')
    assert.equal((await merge({ metadata: { labels: { team: 'a' }, finalizers: ['x.test/wait'] } })).status, 200)
    assert.equal((await merge({ status: { conditions: [] } }, '/status')).status, 200)
    assert.equal((await merge({ spec: { targetRefs: gateway } })).status, 422)
    assert.equal((await merge({ spec: { selectors: { matchLabels: { app: 'x' } } } })).status, 422)
    assert.equal((await server.send('DELETE', path)).status, 200)
    assert.equal((await merge({ metadata: { finalizers: null } })).status, 200)
    assert.equal((await server.send('GET', path)).status, 404)
  })
})
