// A login from its policy and its Secret, through the real authority and agent, to a page for somebody who signed in.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../../cli/local/index.ts'
import { Browser, type Visit } from '../envoy/login/browser.ts'
import { type RunningIdentityProvider, startIdentityProvider } from '../oidc/index.ts'
import { startTestShop, type TestShop } from './shop.ts'

const HOST = 'orders.shop'
const PAGE = `http://${HOST}/orders?page=2`

describe('a login', () => {
  let shop: TestShop
  let provider: RunningIdentityProvider
  let browser: Browser
  before(async () => {
    provider = await startIdentityProvider({ redirectUris: [`http://${HOST}/oauth2/callback`] })
    shop = await startTestShop({ network: '88.0', certificateLifetime: '24h' })
    browser = newBrowser()
    await shop.mesh.applyText('login', manifests('demonstration'))
    await until(
      'being sent to the provider',
      async () => (await newBrowser().navigate(PAGE)).status === 302 || undefined
    )
  })
  after(async () => {
    await shop?.close()
    await provider?.stop()
  })

  const newBrowser = (): Browser => new Browser({ [HOST]: { address: shop.orders.pod.address, port: 8080 } })
  const manifests = (secret: string): string => `
apiVersion: countersign.dev/v1
kind: EndUserAuthentication
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: orders } }
  issuer: ${provider.issuer}
  excludePaths: [/assets/*]
  outputClaimToHeaders: [{ header: x-user, claim: sub }]
  login: { clientId: web, clientSecret: { name: web-login } }
---
apiVersion: v1
kind: Secret
metadata: { name: web-login, namespace: shop }
type: Opaque
stringData: { client-secret: ${secret} }
`
  const signIn = async (tab: Browser): Promise<Visit> => {
    const form = await tab.open(PAGE)
    assert.match(form.url, /\/sign-in\//)
    return tab.open(form.url, { form: { name: 'grace' } })
  }

  it('leads a browser to the provider and back to the page, signed in', async () => {
    const page = await signIn(browser)
    assert.equal(page.status, 200, page.body)
    assert.deepEqual([JSON.parse(page.body).path, JSON.parse(page.body).user], ['/orders?page=2', 'grace'])
    assert.equal((await browser.navigate(PAGE)).status, 200, 'the session lasts')
  })

  it('leaves open what is excluded, and refuses programs as before', async () => {
    assert.equal((await newBrowser().navigate(`http://${HOST}/assets/logo`)).status, 200)
    assert.equal((await newBrowser().fetch(PAGE)).status, 401)
  })

  it('goes on when agent and authority are started anew while the provider is away', async () => {
    const signedIn = newBrowser()
    assert.equal((await signIn(signedIn)).status, 200)
    await provider.stop()
    for (const program of ['agent', 'authority'] as const) {
      await shop.mesh.program(program).stop()
      await shop.mesh.startProgram(program)
      assert.equal((await signedIn.navigate(PAGE)).status, 200, program)
    }
  })

  it('ends with its secret', async () => {
    const { cookies } = browser
    assert.ok(cookies.call(browser, HOST).size > 0)
    await shop.mesh.applyText('login', manifests('another'))
    await until('the session being over', async () => (await browser.navigate(PAGE)).status === 302 || undefined)
  })

  it('shows its secret to nobody', () => {
    for (const program of ['authority', 'agent', 'webhook'] as const)
      assert.ok(!shop.mesh.program(program).output.join('\n').includes('demonstration'), program)
  })
})
