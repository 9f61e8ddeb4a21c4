// People with a real browser, a real proxy and a real OpenID provider.

import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { applyLogin, startLoginPod } from '../envoy/login/login-pod.ts'
import type { TokenPod } from '../envoy/tokens/token-pod.ts'
import { type RunningIdentityProvider, startIdentityProvider } from '../oidc/index.ts'
import { startChromium } from './chromium.ts'

const DEADLINE_MS = 30_000

describe('somebody with a browser', () => {
  let pod: TokenPod
  let provider: RunningIdentityProvider
  let browser: Browser
  let person: BrowserContext
  let page: Page
  let site: string
  before(async () => {
    browser = await startChromium()
    pod = await startLoginPod('127.83.63')
    site = `http://${pod.address}:${pod.port('http')}`
    provider = await startIdentityProvider({ redirectUris: [`${site}/oauth2/callback`] })
    const found = (await (await fetch(`${provider.issuer}/.well-known/openid-configuration`)).json()) as Discovered
    const issuer = { url: provider.issuer, jwks: await provider.jwks() }
    await applyLogin(pod, issuer, {
      secret: 'demonstration',
      login: {
        clientId: 'web',
        authorizationEndpoint: found.authorization_endpoint,
        tokenEndpoint: found.token_endpoint,
        endSessionEndpoint: found.end_session_endpoint
      }
    })
  })
  after(async () => {
    await browser?.close()
    await pod?.stop()
    await provider?.stop()
  })
  beforeEach(async () => {
    person = await browser.newContext()
    person.setDefaultTimeout(DEADLINE_MS)
    page = await person.newPage()
  })
  afterEach(() => person?.close())

  const signIn = async (tab: Page = page, name = 'grace'): Promise<void> => {
    await tab.getByLabel('Name').fill(name)
    await tab.getByRole('button', { name: 'Sign in' }).click()
  }
  const seenBy = async (tab: Page = page) => JSON.parse(await tab.locator('body').innerText())
  const userSeenBy = async (tab: Page = page): Promise<unknown> =>
    JSON.parse(Buffer.from((await seenBy(tab)).headers['x-user'], 'base64url').toString()).sub
  const statusOfScript = (path: string): Promise<number> => page.evaluate(async to => (await fetch(to)).status, path)

  it('signs in at the provider, and sees the page that was asked for', async () => {
    await page.goto(`${site}/orders?page=2`)
    assert.ok(page.url().startsWith(`${provider.issuer}/sign-in/`), page.url())
    await signIn()
    await page.waitForURL(`${site}/orders?page=2`)
    assert.equal(await userSeenBy(), 'grace')
    const { headers } = await seenBy()
    assert.equal(headers.cookie, undefined)
    assert.equal(headers.authorization, undefined)
  })

  it('has cookies that only the proxy can use', async () => {
    await page.goto(site)
    await signIn()
    await page.waitForURL(`${site}/`)
    assert.equal(await page.evaluate('document.cookie'), '')
    const cookies = await person.cookies(site)
    assert.deepEqual(
      [...new Set(cookies.map(({ httpOnly, secure, sameSite }) => `${httpOnly} ${secure} ${sameSite}`))],
      ['true true Lax']
    )
    for (const { name, value } of cookies) {
      assert.match(name, /^__Host-countersign-login-/)
      assert.doesNotMatch(value, /eyJ/)
    }
  })

  it('keeps no cookie of such a name from a sibling domain or by http (RFC 6265bis, section 4.1.3.2)', async () => {
    for (const origin of ['https://evil.shop.test', 'http://www.shop.test']) {
      await page.route(`${origin}/**`, route => route.fulfill({ contentType: 'text/html', body: '<p>hello</p>' }))
      await page.goto(`${origin}/`)
      for (const attributes of ['path=/; domain=shop.test', 'path=/; domain=shop.test; secure', 'path=/'])
        await page.evaluate(`document.cookie = "__Host-countersign-login-00000000-hmac=planted; ${attributes}"`)
      await page.evaluate('document.cookie = "planted=1; path=/; domain=shop.test"')
    }
    const names = (await person.cookies('https://www.shop.test/')).map(({ name }) => name)
    assert.deepEqual(names, ['planted'])
  })

  it('keeps the cookies of the application', async () => {
    await page.goto(`${site}/open/page`)
    await page.evaluate('document.cookie = "theme=dark; path=/"')
    await page.goto(site)
    await signIn()
    await page.waitForURL(`${site}/`)
    assert.equal((await seenBy()).headers.cookie, 'theme=dark')
  })

  it('uses pages whose scripts ask with the session, and are refused without', async () => {
    await page.goto(`${site}/open/page`)
    assert.equal(await statusOfScript('/data'), 401)
    await page.goto(site)
    await signIn()
    await page.waitForURL(`${site}/`)
    assert.equal(await statusOfScript('/data'), 200)
    await person.clearCookies()
    assert.equal(await statusOfScript('/data'), 401)
  })

  it('is not asked again while the provider knows it', async () => {
    await page.goto(site)
    await signIn()
    await page.waitForURL(`${site}/`)
    await person.clearCookies({ domain: pod.address })
    await page.goto(`${site}/again`)
    assert.equal(page.url(), `${site}/again`)
    assert.equal(await userSeenBy(), 'grace')
  })

  it('signs in from two tabs at once', async () => {
    const other = await person.newPage()
    await page.goto(`${site}/one`)
    await other.goto(`${site}/two`)
    await signIn(page)
    await page.waitForURL(`${site}/one`)
    await signIn(other)
    await other.waitForURL(`${site}/two`)
    assert.equal(await userSeenBy(other), 'grace')
  })

  it('signs out, here and at the provider', async () => {
    await page.goto(site)
    await signIn()
    await page.waitForURL(`${site}/`)
    await page.goto(`${site}/oauth2/sign-out`)
    assert.ok(page.url().startsWith(`${provider.issuer}/session/end`), page.url())
    assert.deepEqual(await person.cookies(site), [])
    await page.getByRole('button', { name: /yes/i }).click()
    await page.waitForURL(url => url.pathname.startsWith('/sign-in/'))
    await signIn(page, 'ada')
    await page.waitForURL(`${site}/`)
    assert.equal(await userSeenBy(), 'ada')
  })
})

interface Discovered {
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly end_session_endpoint: string
}
