// End users' tokens on a cluster: an identity provider that is a pod, policies as people apply them, and an authority
// that fetches its keys over the cluster's network, and remembers them.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { V1Condition } from '@kubernetes/client-node'
import { forwardedIdentities, until } from '../../../cli/local/index.ts'
import { newSigningKey, signed } from '../../oidc/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { ClusterIdentityProvider } from './cluster-identity-provider.ts'
import { identityProviderImages } from './identity-provider-image.ts'
import { ingressController, ingressImages, ORDERS_PODS, PUBLIC_PORT } from './ingress-controller.ts'
import { leaderOf, leadingIdentity } from './leader.ts'
import { answerTo, applyExample, podsOf, readyPod } from './shop.ts'

const SYSTEM = 'countersign-system'
/** That of examples/end-users. */
const AUDIENCE = 'https://shop.example.com'
const ORDERS = 'http://orders.shop/things'
const AUTHORITIES = ['-n', SYSTEM, '-l', 'app.kubernetes.io/component=authority'] as const

/** What the application was told, or the status of a refusal, or how the call failed. */
type Seen = number | string | { readonly user: string | null; readonly client: string | undefined }

describe('end users on a cluster', { timeout: 600_000 }, () => {
  let cluster: Cluster
  let provider: ClusterIdentityProvider
  let ada: string

  before(async () => {
    const images = [...(await identityProviderImages()), ...(await ingressImages())]
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await Promise.all([installChart(cluster), ...cluster.nodes.map(node => node.load(images))])
    provider = new ClusterIdentityProvider(cluster)
    await applyExample(cluster, 'shop/00-namespace.yaml')
    await applyExample(cluster, 'shop/storefront.yaml')
    await applyExample(cluster, 'shop/orders.yaml')
    await applyExample(cluster, 'policies/peer-authentication-strict.yaml')
    await cluster.apply(ORDERS_PODS, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'plain' } })
    await applyExample(cluster, 'shop/guest.yaml', yaml => yaml.replaceAll('namespace: shop', 'namespace: plain'))
    await provider.start()
    await Promise.all([
      readyPod(cluster, 'shop', 'orders'),
      readyPod(cluster, 'shop', 'storefront'),
      readyPod(cluster, 'plain', 'guest')
    ])
    await cluster.apply(...ingressController())
    await readyPod(cluster, 'shop', 'ingress')
    ada = await provider.token('ada', AUDIENCE)
  })
  after(stopOwnCluster)

  const call = async (
    namespace: string,
    app: string,
    url: string,
    token?: string,
    headers: Readonly<Record<string, string>> = {}
  ): Promise<Seen> => {
    const authorization: Readonly<Record<string, string>> =
      token === undefined ? {} : { authorization: `Bearer ${token}` }
    const answer = await answerTo(cluster, namespace, app, url, { ...authorization, ...headers })
    if (typeof answer === 'string') return answer
    if (answer.status !== 200) return answer.status
    const { user, clientCertificate } = JSON.parse(answer.body)
    return { user, client: forwardedIdentities(clientCertificate).client }
  }
  const storefront = (token?: string, url = ORDERS, headers: Readonly<Record<string, string>> = {}): Promise<Seen> =>
    call('shop', 'storefront', url, token, headers)
  const seenBy = (account: string, user: string | null): Seen => ({
    user,
    client: `spiffe://cluster.local/ns/shop/sa/${account}`
  })
  /** Waits for a policy, or keys, to be everywhere; how long that may take is the promise of the caller. */
  const becomes = (expected: Seen, attempt: () => Promise<Seen>, timeoutMs = 20_000): Promise<unknown> => {
    let last: Seen
    const same = async (): Promise<true | undefined> => {
      last = await attempt()
      return JSON.stringify(last) === JSON.stringify(expected) || undefined
    }
    return until(JSON.stringify(expected), same, { timeoutMs }).catch(cause => {
      throw new Error(`${cause.message}; it was ${JSON.stringify(last)}`, { cause })
    })
  }
  /** What kubectl says of an object that it is to apply, and whether it did. */
  const applied = async (object: object): Promise<{ readonly done: boolean; readonly said: string }> => {
    const { code, stderr } = await cluster.kubectlOutcome(['apply', '-f', '-'], { input: JSON.stringify(object) })
    return { done: code === 0, said: stderr }
  }
  /** What the status of the one policy of a kind says, once one condition has that reason for that generation. */
  const conditionsAfter = (
    kind: string,
    generation: number,
    type: string,
    reason: string
  ): Promise<Readonly<Record<string, V1Condition>>> => {
    const look = async (): Promise<Readonly<Record<string, V1Condition>> | undefined> => {
      const { items } = JSON.parse(await cluster.kubectl(['get', '-n', 'shop', kind, '-o', 'json'])) as {
        items: { status?: { conditions?: V1Condition[] } }[]
      }
      const conditions = Object.fromEntries((items[0]?.status?.conditions ?? []).map(one => [one.type, one]))
      const { reason: found, observedGeneration } = conditions[type] ?? {}
      return found === reason && observedGeneration === generation ? conditions : undefined
    }
    // A Lease is taken from who ends without a word after 15 seconds; what may pass is told after 10.
    return until(`${type} of ${kind} to be ${reason}`, look, { timeoutMs: 45_000, intervalMs: 250 })
  }
  const reasonsOf = (conditions: Readonly<Record<string, V1Condition>>): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.values(conditions).map(({ type, status, reason }) => [type, `${status} ${reason}`]))

  it('lets in who has a token of the issuer, and tells the application whom; nobody else', async () => {
    await becomes(seenBy('storefront', null), () => storefront())
    await applyExample(cluster, 'end-users/orders.yaml', yaml =>
      yaml.replace('https://accounts.example.com', provider.issuer)
    )
    await becomes(401, () => storefront())
    await becomes(seenBy('storefront', 'ada'), () => storefront(ada))
    // Where no token is needed, nobody says who the user is, either.
    const open = await storefront(undefined, 'http://orders.shop/health', { 'x-user': 'ada' })
    assert.deepEqual(open, seenBy('storefront', null))
  })

  it('says in the status of a policy what became of it', async () => {
    const conditions = await conditionsAfter('eua', 1, 'Ready', 'Ready')
    assert.deepEqual(reasonsOf(conditions), {
      Ready: 'True Ready',
      Accepted: 'True Accepted',
      KeysReady: 'True KeysReady',
      PortsChecked: 'True PortsChecked',
      WorkloadsSelected: 'True WorkloadsSelected'
    })
    assert.match(conditions['WorkloadsSelected']?.message ?? '', /shop\/orders/)
    const table = await cluster.kubectl(['get', '-n', 'shop', 'eua'])
    const [heading, row] = table.split('\n').map(line => line.split(/ {2,}/))
    assert.deepEqual(heading, ['NAME', 'ISSUER', 'READY', 'AGE'])
    assert.deepEqual(row?.slice(0, 3), ['orders', provider.issuer, 'True'])
    // The ingress controller excludes its public port, on which STRICT is not enforced then.
    const strict = await conditionsAfter('peerauthentication', 1, 'Ready', 'NotEnforced')
    assert.equal(strict['Accepted']?.status, 'True')
    assert.match(strict['Ready']?.message ?? '', /shop\/ingress/)
  })

  it('refuses tokens of other issuers, of keys of nobody, and for other applications', async () => {
    const nobody = newSigningKey('RS256')
    const claims = { iss: provider.issuer, aud: AUDIENCE, sub: 'ada', exp: 4_102_444_800 }
    const tokens = {
      'another issuer': signed(nobody, { ...claims, iss: 'https://elsewhere.example' }),
      'a key of nobody': signed(nobody, claims),
      'another audience': await provider.token('ada', 'https://other.example.com')
    }
    for (const [what, token] of Object.entries(tokens)) {
      const seen = await storefront(token)
      assert.equal(seen, 401, what)
    }
  })

  it('holds behind an ingress controller, too, for browsers that know of no mesh', async () => {
    const ingress = (await podsOf(cluster, 'shop', 'ingress'))[0]?.status.podIP ?? ''
    const browser = (token?: string): Promise<Seen> =>
      call('plain', 'guest', `http://${ingress}:${PUBLIC_PORT}/things`, token)
    await becomes(seenBy('ingress', 'ada'), () => browser(ada))
    assert.equal(await browser(), 401)
  })

  it('takes tokens of new keys within seconds, and those of the former ones meanwhile', async () => {
    await provider.rotate()
    const grace = await provider.token('grace', AUDIENCE)
    await becomes(seenBy('storefront', 'grace'), () => storefront(grace), 10_000)
    assert.deepEqual(await storefront(ada), seenBy('storefront', 'ada'))
  })

  it('goes on with the keys that it knows while the issuer is away and every authority is replaced', async () => {
    const linus = await provider.token('linus', AUDIENCE)
    await provider.leave()
    assert.deepEqual(await storefront(linus), seenBy('storefront', 'linus'))
    await cluster.kubectl(['delete', 'pod', ...AUTHORITIES, '--wait=true'])
    await cluster.kubectl(['delete', 'pod', '-n', 'shop', '-l', 'app=orders', '--wait=true'])
    // Its proxy knows nothing but what an authority told it that never saw the issuer.
    await readyPod(cluster, 'shop', 'orders')
    await becomes(seenBy('storefront', 'linus'), () => storefront(linus))
    assert.equal(await storefront(), 401)
    const conditions = await conditionsAfter('eua', 1, 'KeysReady', 'KeysNotRefreshed')
    assert.equal(conditions['Ready']?.status, 'True')
  })

  it('takes the new keys of an issuer that comes back, and no longer those that it does not publish', async () => {
    await provider.comeBack()
    const alan = await provider.token('alan', AUDIENCE)
    await becomes(seenBy('storefront', 'alan'), () => storefront(alan), 15_000)
    assert.equal(await storefront(ada), 401)
    ada = await provider.token('ada', AUDIENCE)
  })

  it('demands no token for a RequestAuthentication, and refuses a wrong one', async () => {
    await cluster.kubectl(['delete', 'eua', '-n', 'shop', 'orders'])
    const claims = [{ header: 'x-user', claim: 'sub' }]
    await cluster.apply({
      apiVersion: 'security.istio.io/v1',
      kind: 'RequestAuthentication',
      metadata: { name: 'orders', namespace: 'shop' },
      spec: {
        selector: { matchLabels: { app: 'orders' } },
        jwtRules: [{ issuer: provider.issuer, audiences: [AUDIENCE], outputClaimToHeaders: claims }]
      }
    })
    await becomes(seenBy('storefront', null), () => storefront())
    await becomes(seenBy('storefront', 'ada'), () => storefront(ada))
    assert.equal(await storefront(`${ada.slice(0, -4)}AAAA`), 401)
  })

  it('says it by another authority when the one that did is killed', async () => {
    await conditionsAfter('requestauthentication', 1, 'Ready', 'Ready')
    const leader = await leaderOf(cluster)
    await leader.kill()
    const patch = JSON.stringify({ spec: { selector: { matchLabels: { app: 'nobody' } } } })
    await cluster.kubectl(['patch', 'requestauthentication', '-n', 'shop', 'orders', '--type=merge', '-p', patch])
    const conditions = await conditionsAfter('requestauthentication', 2, 'WorkloadsSelected', 'NoWorkload')
    assert.equal(conditions['Ready']?.status, 'True')
    assert.notEqual(await leadingIdentity(cluster), leader.identity)
  })

  describe('the service account of the authority', () => {
    const ACCOUNT = `system:serviceaccount:${SYSTEM}:countersign-authority`
    const may = async (verb: string, what: string, namespace: string): Promise<boolean> => {
      const [resource = '', subresource] = what.split(':')
      const more = subresource === undefined ? [] : [`--subresource=${subresource}`]
      const question = ['auth', 'can-i', verb, resource, '-n', namespace, `--as=${ACCOUNT}`, ...more]
      return (await cluster.kubectlOutcome(question)).stdout.trim() === 'yes'
    }

    it('was never refused anything', async () => {
      const logs = await cluster.kubectl(['logs', ...AUTHORITIES, '--tail=-1'])
      assert.match(logs, /agents are answered/)
      assert.doesNotMatch(logs, /forbidden|"status":403/i)
    })

    const allowed: readonly (readonly [verb: string, what: string, namespace: string])[] = [
      ['watch', 'enduserauthentications', 'shop'],
      ['get', 'customresourcedefinition/enduserauthentications.countersign.dev', SYSTEM],
      ['patch', 'enduserauthentications:status', 'shop'],
      ['get', 'secret/countersign-root', SYSTEM],
      ['patch', 'configmap/countersign-key-sets', SYSTEM],
      ['update', 'lease/countersign-authority', SYSTEM]
    ]
    for (const [verb, what, namespace] of allowed)
      it(`may ${verb} ${what} in ${namespace}`, async () => {
        assert.equal(await may(verb, what, namespace), true)
      })

    const refused: readonly (readonly [verb: string, what: string, namespace: string])[] = [
      ['patch', 'enduserauthentications', 'shop'],
      ['list', 'customresourcedefinitions', SYSTEM],
      ['get', 'customresourcedefinition/authorizationpolicies.security.istio.io', SYSTEM],
      ['update', 'enduserauthentications:status', 'shop'],
      ['delete', 'requestauthentications', 'shop'],
      ['get', 'secrets', 'shop'],
      ['list', 'secrets', SYSTEM],
      ['get', 'secret/countersign-webhook-ca', SYSTEM],
      ['get', 'configmaps', 'shop'],
      ['patch', 'configmap/countersign-bundle', 'kube-system'],
      ['update', 'lease/kube-scheduler', 'kube-system'],
      ['delete', 'lease/countersign-authority', SYSTEM],
      ['patch', 'pods', 'shop']
    ]
    for (const [verb, what, namespace] of refused)
      it(`may not ${verb} ${what} in ${namespace}`, async () => {
        assert.equal(await may(verb, what, namespace), false)
      })
  })

  describe('what kubectl says', () => {
    const policy = (spec: object): object => ({
      apiVersion: 'countersign.dev/v1',
      kind: 'EndUserAuthentication',
      metadata: { name: 'said', namespace: 'shop' },
      spec: { selector: { matchLabels: { app: 'nobody' } }, issuer: 'https://issuer.example', jwks: KEYS, ...spec }
    })
    const { jwk, privateKey } = newSigningKey('ES256')
    const KEYS = JSON.stringify({ keys: [jwk] })

    it('is what is wrong with a policy, and where', async () => {
      const secret = JSON.stringify({ keys: [{ ...jwk, ...privateKey.export({ format: 'jwk' }) }] })
      const wrong: Readonly<Record<string, readonly [spec: object, field: RegExp]>> = {
        'a path that matches nothing': [{ includePaths: ['/a//b'] }, /spec\.includePaths\[0\]: /],
        'a private key': [{ jwks: secret }, /spec\.jwks.*: /],
        'no place of keys': [{ jwks: undefined, issuer: 'me@example.com' }, /spec\.issuer: /],
        'two places of keys': [{ jwksUri: 'https://keys.example' }, /spec\.jwks: /],
        "a field of Istio's": [{ presence: 'REQUIRED' }, /spec\.presence: not here: /],
        'a field that nobody knows, further down': [{ selector: { matchLabel: {} } }, /spec\.selector\.matchLabel: /]
      }
      for (const [what, [spec, field]] of Object.entries(wrong)) {
        const { done, said } = await applied(policy(spec))
        assert.equal(done, false, what)
        assert.match(said, field, what)
        assert.doesNotMatch(said, /"d":/, what)
      }
    })

    it('is what is seldom meant', async () => {
      const { done, said } = await applied(policy({}))
      assert.ok(done, said)
      assert.match(said, /^Warning: spec\.audiences: absent: /m)
      await cluster.kubectl(['delete', 'eua', '-n', 'shop', 'said'])
    })
  })

  it('refuses every request where a policy that cannot be understood was stored without a webhook', async () => {
    const [resource, name] = ['validatingwebhookconfiguration', 'countersign-webhook']
    const webhook = JSON.parse(await cluster.kubectl(['get', resource, name, '-o', 'json']))
    await cluster.kubectl(['delete', resource, name])
    await cluster.kubectl(['delete', 'requestauthentication', '-n', 'shop', '--all'])
    await becomes(seenBy('storefront', null), () => storefront(undefined))
    const policy = {
      apiVersion: 'security.istio.io/v1',
      kind: 'RequestAuthentication',
      metadata: { name: 'misspelled', namespace: 'shop' },
      spec: { selectors: { matchLabels: { app: 'nobody' } }, jwtRules: [{ issuer: provider.issuer }] }
    }
    await until('the policy to be stored', async () => (await applied(policy)).done || undefined, { timeoutMs: 20_000 })
    await becomes(401, () => storefront())
    assert.equal(await storefront(ada), 401)
    // What it selects is told after what is wrong with it.
    const conditions = await conditionsAfter('requestauthentication', 1, 'WorkloadsSelected', 'WorkloadsSelected')
    assert.equal(reasonsOf(conditions)['Accepted'], 'False InvalidClosed')
    assert.match(
      conditions['Accepted']?.message ?? '',
      /^spec\.selectors: unknown field; .*refuse every request with 401\. Not all of them: .*shop\/ingress/
    )
    assert.match(conditions['WorkloadsSelected']?.message ?? '', /shop\/orders/)
    await cluster.apply({ ...webhook, metadata: { name } })
    await cluster.kubectl(['delete', 'requestauthentication', '-n', 'shop', 'misspelled'])
    await becomes(seenBy('storefront', null), () => storefront())
  })
})
