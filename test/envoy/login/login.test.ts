// Browsers are sent to an issuer that does whatever a test wants, and come back to a real proxy.

import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { keySet, newSigningKey, signed } from '../../oidc/index.ts'
import { eventually } from '../index.ts'
import type { TokenPod } from '../tokens/token-pod.ts'
import { type Browser, locationOf, type Visit } from './browser.ts'
import { CLIENT_ID, type Issuer, seconds, startIssuer } from './issuer.ts'
import { applyLogin, HOST, newBrowser, SITE, startLoginPod } from './login-pod.ts'

const PAGE = `${SITE}/orders?page=2`

describe('a pod with a login', () => {
  let pod: TokenPod
  let issuer: Issuer
  let browser: Browser
  before(async () => {
    pod = await startLoginPod('127.83.61')
  })
  after(() => pod?.stop())
  beforeEach(async () => {
    issuer = await startIssuer()
    await applyLogin(pod, issuer)
    browser = newBrowser(pod)
    // Whose secrets are on their way yet.
    await eventually(async () => assert.equal((await newBrowser(pod).navigate(PAGE)).status, 302))
  })
  afterEach(() => issuer?.stop())

  const userOf = ({ seen }: Visit): unknown =>
    JSON.parse(Buffer.from(String(seen?.headers['x-user']), 'base64url').toString()).sub
  const cookieNamed = (what: string): string => {
    const name = [...browser.cookies(HOST).keys()].find(key => key.endsWith(`-${what}`))
    assert.ok(name, `there is no cookie ${what} among ${[...browser.cookies(HOST).keys()].join(', ')}`)
    return name
  }
  const assertSentAway = ({ status, headers }: Visit): void => {
    assert.equal(status, 302)
    assert.ok(headers.location?.startsWith(`${issuer.url}/auth?`), headers.location)
  }
  const assertRefused = ({ status, seen }: Visit): void => {
    assert.equal(seen, undefined)
    assert.equal(status, 401)
  }

  it('sends a browser to the issuer and shows it the page that it wanted', async () => {
    const away = await browser.navigate(PAGE)
    assertSentAway(away)
    const { searchParams } = new URL(locationOf(away))
    assert.equal(searchParams.get('redirect_uri'), `${SITE}/oauth2/callback`)
    assert.equal(searchParams.get('code_challenge_method'), 'S256')
    const page = await browser.open(PAGE)
    assert.equal(page.seen?.url, '/orders?page=2')
    assert.equal(userOf(page), 'ada')
    assert.deepEqual(
      issuer.requests.map(({ authorization, form }) => [authorization, form['grant_type'], form['code']]),
      [[`Basic ${btoa(`${CLIENT_ID}:a secret`)}`, 'authorization_code', 'a-code']]
    )
  })

  it('asks the issuer once for a session', async () => {
    await browser.open(PAGE)
    for (const path of ['/a', '/b', '/c']) assert.equal((await browser.navigate(`${SITE}${path}`)).status, 200)
    assert.equal((await browser.fetch(`${SITE}/data`)).status, 200)
    assert.equal(issuer.requests.length, 1)
  })

  it('has cookies that no script reads, no other site sends, and no plain connection carries', async () => {
    const back = await browser.navigate(locationOf(await browser.navigate(locationOf(await browser.navigate(PAGE)))))
    const kept = (back.headers['set-cookie'] ?? []).filter(line => !line.includes('=deleted'))
    assert.equal(kept.length, 4)
    for (const line of kept) {
      assert.match(line, /^__Host-countersign-login-[0-9a-f]{8}-(?:hmac|expires|access|id)=/)
      assert.match(line, /;path=\/;Max-Age=\d+;secure;HttpOnly;SameSite=Lax$/)
      assert.doesNotMatch(line, /opaque-access-token|eyJ/)
    }
  })

  it('gives the application no token, and every cookie of its own', async () => {
    assert.equal((await browser.open(PAGE)).seen?.headers.cookie, undefined)
    browser.cookies(HOST).set('theme', 'dark')
    browser.cookies(HOST).set('basket', '"1 2"')
    const { seen } = await browser.navigate(PAGE)
    assert.equal(seen?.headers.cookie, 'theme=dark; basket="1 2"')
    assert.equal(seen?.headers.authorization, undefined)
    assert.deepEqual(
      Object.keys(seen?.headers ?? {}).filter(name => /^x-(?:countersign|envoy)/.test(name)),
      []
    )
    assert.doesNotMatch(JSON.stringify(seen), /countersign-login|opaque-access-token/)
  })

  it('reads nothing from cookies of former names, and gives the application none of them', async () => {
    await browser.open(PAGE)
    const former = [...browser.cookies(HOST)].map(([name, value]) => `${name.replace('__Host-', '')}=${value}`)
    const stranger = newBrowser(pod)
    const headers = { cookie: [...former, 'theme=dark'].join('; ') }
    assertSentAway(await stranger.navigate(PAGE, { headers }))
    assertRefused(await stranger.fetch(PAGE, { headers }))
    for (const path of ['/open/page', '/orders']) {
      const own = [...browser.cookies(HOST)].map(pair => pair.join('=')).join('; ')
      const { seen } = await browser.navigate(`${SITE}${path}`, { headers: { cookie: `${headers.cookie}; ${own}` } })
      assert.equal(seen?.headers.cookie, 'theme=dark')
    }
  })

  it('takes the cookies of a client that writes them in several lines, as none should', async () => {
    await browser.open(PAGE)
    const own = [...browser.cookies(HOST)].map(pair => pair.join('=')).join('; ')
    const lines: (readonly [string, string])[] = ['a=1', own, 'b=2'].map(line => ['cookie', line])
    for (const target of ['/orders', '/open/page']) {
      const { seen } = await pod.ask({ target, headers: [['accept', 'text/html'], ...lines] })
      assert.equal(seen?.headers.cookie, 'a=1; b=2')
    }
  })

  it('gives the application the tokens where the policy says so', async () => {
    await applyLogin(pod, issuer, { login: { forwardTokens: true } })
    await browser.open(PAGE)
    const { seen } = await browser.navigate(PAGE)
    assert.equal(seen?.headers.authorization, 'Bearer opaque-access-token')
    assert.match(seen?.headers.cookie ?? '', /-id=eyJ/)
    assert.equal(seen?.headers['x-countersign-session'], undefined)
  })

  it('keeps a token that is too large for one cookie', async () => {
    issuer.answers.claims = { groups: Array.from({ length: 400 }, (_, index) => `group-${index}`) }
    const page = await browser.open(PAGE)
    assert.equal(userOf(page), 'ada')
    assert.equal(page.seen?.headers.cookie, undefined)
  })

  it('shows every port that HTTP is recognised on the same', async () => {
    await browser.open(PAGE)
    for (const port of ['http', 'unknown'] as const) {
      browser.hosts.set(HOST, { address: pod.address, port: pod.port(port) })
      assert.equal((await browser.navigate(PAGE)).status, 200)
      const stranger = newBrowser(pod)
      stranger.hosts.set(HOST, { address: pod.address, port: pod.port(port) })
      assertSentAway(await stranger.navigate(PAGE))
    }
  })

  const REFUSED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'a script': { accept: '*/*', 'sec-fetch-mode': 'cors' },
    'a script that says it wants a page': { 'sec-fetch-mode': 'cors' },
    'a program': { accept: 'application/json', 'sec-fetch-mode': '' },
    'somebody with another kind of credentials': { authorization: 'Basic YTpi' },
    'somebody with a wrong token': { authorization: 'Bearer x.y.z' }
  }
  for (const [who, headers] of Object.entries(REFUSED))
    it(`refuses ${who}, and sends nobody away`, async () => {
      const visit = await browser.navigate(PAGE, { headers })
      assertRefused(visit)
      assert.match(visit.headers['www-authenticate'] ?? '', /^Bearer realm="countersign"/)
      assert.equal(visit.headers['set-cookie'], undefined)
    })

  it('refuses a call of gRPC in its own way', async () => {
    const { seen, headers } = await browser.fetch(PAGE, {
      method: 'POST',
      headers: { 'content-type': 'application/grpc' }
    })
    assert.equal(seen, undefined)
    assert.equal(headers['grpc-status'], '16')
  })

  it('lets a program with a token in, session or none', async () => {
    const token = signed(issuer.answers.key, { iss: issuer.url, sub: 'job', aud: 'api', exp: seconds() + 60 })
    const ask = () => browser.navigate(PAGE, { headers: { authorization: `Bearer ${token}` } })
    assert.equal(userOf(await ask()), 'job')
    await browser.open(PAGE)
    assert.equal(userOf(await ask()), 'job')
    assert.equal((await ask()).seen?.headers.cookie, undefined)
  })

  it('takes a token for the session of nobody', async () => {
    const token = signed(issuer.answers.key, { iss: issuer.url, sub: 'eve', aud: CLIENT_ID, exp: seconds() + 60 })
    for (const headers of [
      { 'x-countersign-session': token },
      { X_Countersign_Session: token },
      { 'x-countersign-session': token, authorization: 'Basic YTpi' },
      { 'x-countersign-cookies': `${'a'}=${token}` },
      { authorization: `Bearer ${token}` }
    ])
      assertRefused(await browser.fetch(PAGE, { headers }))
    await browser.open(PAGE)
    browser.cookies(HOST).set(cookieNamed('id'), token)
    assertRefused(await browser.fetch(PAGE))
    assertRefused(await browser.fetch(PAGE, { headers: { authorization: 'Basic YTpi' } }))
    assertSentAway(await browser.navigate(PAGE))
  })

  for (const what of ['hmac', 'expires', 'access', 'id'])
    it(`takes no session whose cookie ${what} is another`, async () => {
      await browser.open(PAGE)
      const jar = browser.cookies(HOST)
      const value = jar.get(cookieNamed(what)) ?? ''
      const changes = [
        `${what === 'expires' ? '9' : value.startsWith('A') ? 'B' : 'A'}${value.slice(1)}`,
        `${value.slice(0, -4)}AAAA`,
        '',
        'x'
      ]
      for (const change of changes) {
        jar.set(cookieNamed(what), change)
        assertRefused(await browser.fetch(PAGE))
        assertSentAway(await browser.navigate(PAGE, { headers: { 'x-probe': change } }))
      }
    })

  it('takes no session of another host', async () => {
    await browser.open(PAGE)
    browser.hosts.set('evil.shop', { address: pod.address, port: pod.port('http') })
    for (const [name, value] of browser.cookies(HOST)) browser.cookies('evil.shop').set(name, value)
    assertSentAway(await browser.navigate('http://evil.shop/orders'))
  })

  const WRONG_TOKENS: Readonly<Record<string, (wrong: Issuer) => void>> = {
    'is for another client': wrong => {
      wrong.answers.claims = { aud: 'somebody-else' }
    },
    'is of another issuer': wrong => {
      wrong.answers.claims = { iss: 'https://evil.test' }
    },
    'is signed with another key': wrong => {
      wrong.answers.key = newSigningKey('ES256')
    },
    'is not there': wrong => {
      wrong.answers.claims = undefined
    }
  }
  for (const [which, spoil] of Object.entries(WRONG_TOKENS))
    it(`lets nobody in with an ID token that ${which}`, async () => {
      spoil(issuer)
      const refused = await browser.open(PAGE)
      assertRefused(refused)
      if (which !== 'is not there')
        assert.match(String(refused.headers['set-cookie']), /^__Host-countersign-login-.*-hmac=; .*Max-Age=0/)
      assertRefused(await browser.fetch(PAGE))
    })

  it('sends a browser away again when its issuer has withdrawn the key of its session', async () => {
    await browser.open(PAGE)
    issuer.answers.key = newSigningKey('ES256', 'next')
    await applyLogin(pod, issuer, { jwks: keySet(issuer.answers.key) })
    assertRefused(await browser.navigate(PAGE))
    assert.equal((await browser.open(PAGE)).status, 200)
  })

  it('ends no session because of what the application says, or of a token that is no session', async () => {
    await browser.open(PAGE)
    for (const visit of [
      await browser.navigate(PAGE),
      await browser.navigate(PAGE, { headers: { authorization: 'Bearer x.y.z' } })
    ])
      assert.equal(visit.headers['set-cookie'], undefined)
    assert.equal((await browser.navigate(PAGE)).status, 200)
  })

  it('sends a browser to the issuer again when its session is over', async () => {
    issuer.answers.expiresIn = 1
    issuer.answers.claims = { exp: seconds() + 2 }
    await browser.open(PAGE)
    await eventually(async () => assertSentAway(await browser.navigate(PAGE)))
    assertRefused(await browser.fetch(PAGE))
  })

  it('renews a session with a refresh token, without a word', async () => {
    issuer.answers.expiresIn = 1
    issuer.answers.refreshToken = 'a-refresh-token'
    await browser.open(PAGE)
    issuer.answers.expiresIn = 3600
    await eventually(async () => {
      assert.equal((await browser.fetch(PAGE)).status, 200)
      assert.equal(issuer.requests.at(-1)?.form['grant_type'], 'refresh_token')
    })
    assert.equal(issuer.requests.at(-1)?.form['refresh_token'], 'a-refresh-token')
    const { length } = issuer.requests
    assert.equal((await browser.fetch(PAGE)).status, 200)
    assert.equal(issuer.requests.length, length)
  })

  it('ends a session that the issuer does not renew', async () => {
    issuer.answers.expiresIn = 1
    issuer.answers.refreshToken = 'a-refresh-token'
    await browser.open(PAGE)
    issuer.answers.status = 400
    await eventually(async () => assertRefused(await browser.fetch(PAGE)))
    assertSentAway(await browser.navigate(PAGE))
  })

  it('signs out', async () => {
    await browser.open(PAGE)
    const out = await browser.navigate(`${SITE}/oauth2/sign-out`)
    assert.equal(locationOf(out), `${SITE}/`)
    assert.deepEqual([...browser.cookies(HOST)], [])
    assertRefused(await browser.fetch(PAGE))
    assertSentAway(await browser.navigate(PAGE))
  })

  it('signs out at the issuer, where that is known', async () => {
    await applyLogin(pod, issuer, { login: { endSessionEndpoint: `${issuer.url}/end` } })
    await browser.open(PAGE)
    const out = new URL(
      locationOf(await browser.navigate(`${SITE}/oauth2/sign-out`, { headers: { 'x-forwarded-proto': 'https' } }))
    )
    assert.equal(`${out.origin}${out.pathname}`, `${issuer.url}/end`)
    assert.equal(out.searchParams.get('client_id'), CLIENT_ID)
    assert.equal(out.searchParams.get('post_logout_redirect_uri'), `https://${HOST}/`)
  })

  it('goes by what the browser uses where an ingress ends TLS', async () => {
    const away = await browser.navigate(PAGE, { headers: { 'x-forwarded-proto': 'https' } })
    const { searchParams } = new URL(locationOf(away))
    assert.equal(searchParams.get('redirect_uri'), `https://${HOST}/oauth2/callback`)
    const back = await browser.navigate(
      locationOf(await browser.navigate(locationOf(away))).replace('https:', 'http:'),
      { headers: { 'x-forwarded-proto': 'https' } }
    )
    assert.equal(back.headers.location, `https://${HOST}/orders?page=2`)
  })

  const state = (content: unknown): string => Buffer.from(JSON.stringify(content)).toString('base64url')
  const CALLBACKS: Readonly<Record<string, string>> = {
    'nothing at all': '',
    'a code alone': '?code=x',
    'a state that is no state': '?code=x&state=y',
    'a state of its own': `?code=x&state=${state({ url: 'https://evil.test/', csrf_token: 'a.b', flow_id: 'a' })}`,
    'a state without a token': `?code=x&state=${state({ url: 'https://evil.test/' })}`,
    'a state of the wrong shape': `?code=x&state=${state([1])}`,
    'an error of the issuer': '?error=access_denied&state=y'
  }
  for (const [what, query] of Object.entries(CALLBACKS))
    it(`refuses who comes back with ${what}`, async () => {
      for (const visit of [
        await browser.navigate(`${SITE}/oauth2/callback${query}`),
        await browser.fetch(`${SITE}/oauth2/callback${query}`)
      ]) {
        assert.equal(visit.seen, undefined)
        assert.equal(visit.headers.location, undefined)
        assert.ok(visit.status === 401 || visit.status === 400, String(visit.status))
      }
      assert.equal(issuer.requests.length, 0)
    })

  it('refuses who comes back with the state that another browser was sent away with', async () => {
    const back = locationOf(await browser.navigate(locationOf(await browser.navigate(PAGE))))
    assertRefused(await newBrowser(pod).navigate(back))
    const other = newBrowser(pod)
    await other.navigate(PAGE)
    assertRefused(await other.navigate(back))
    assert.equal(issuer.requests.length, 0)
  })

  it('refuses who comes back while the issuer is away, and lets in who comes later', async () => {
    issuer.answers.status = 500
    const failed = await browser.open(PAGE)
    assert.equal(failed.seen, undefined)
    assert.ok(failed.status >= 400)
    issuer.answers.status = 200
    assert.equal((await browser.open(PAGE)).status, 200)
  })

  it('gives WebSockets to who has a session, and to nobody else', async () => {
    const upgrade = async (cookies: string): Promise<string> => {
      const conversation = await pod.open()
      try {
        conversation.write(
          `GET /socket HTTP/1.1\r\nhost: ${HOST}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${cookies}\r\n`
        )
        return (await conversation.received('\r\n\r\n')).slice(0, 12)
      } finally {
        conversation.close()
      }
    }
    await browser.open(PAGE)
    const cookies = [...browser.cookies(HOST)].map(pair => pair.join('=')).join('; ')
    assert.equal(await upgrade(`cookie: ${cookies}\r\n`), 'HTTP/1.1 101')
    assert.equal(await upgrade(''), 'HTTP/1.1 401')
  })

  it('shares a session with another replica, and with none of another policy', async () => {
    const replica = await startLoginPod('127.83.62')
    try {
      await browser.open(PAGE)
      browser.hosts.set(HOST, { address: replica.address, port: replica.port('http') })
      await applyLogin(replica, issuer)
      await eventually(async () => assert.equal((await browser.fetch(PAGE)).status, 200))
      await applyLogin(replica, issuer, { secret: 'another secret' })
      await eventually(async () => assertRefused(await browser.fetch(PAGE)))
    } finally {
      await replica.stop()
    }
  })

  it('takes a new secret without cutting a connection', async () => {
    const conversation = await pod.open()
    conversation.write(`GET /open/before HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`)
    await conversation.received('/open/before')
    await applyLogin(pod, issuer, { secret: 'the next secret' })
    await eventually(async () => {
      assert.equal((await newBrowser(pod).open(PAGE)).status, 200)
      assert.equal(issuer.requests.at(-1)?.authorization, `Basic ${btoa(`${CLIENT_ID}:the next secret`)}`)
    })
    conversation.write(`GET /open/after HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`)
    await conversation.received('/open/after')
    conversation.close()
  })

  it('comes, goes and changes, and ends the connections that had another, after draining', async () => {
    const conversation = await pod.open()
    conversation.write(`GET /one HTTP/1.1\r\nhost: ${HOST}\r\naccept: text/html\r\n\r\n`)
    await conversation.received('HTTP/1.1 302')
    await pod.apply(undefined)
    assert.equal((await newBrowser(pod).navigate(`${SITE}/two`)).seen?.url, '/two')
    await conversation.ended()
    await applyLogin(pod, issuer, { login: { authorizationEndpoint: '' } })
    assertRefused(await newBrowser(pod).navigate(`${SITE}/three`))
    await applyLogin(pod, issuer)
    await eventually(async () => assertSentAway(await newBrowser(pod).navigate(PAGE)))
    assert.equal((await newBrowser(pod).navigate(`${SITE}/open/four`)).seen?.url, '/open/four')
  })

  describe('of part of its paths', () => {
    it('sends nobody away from open paths, and takes no session from them', async () => {
      await browser.open(PAGE)
      for (const path of ['/open/', '/open/page', '/open/page?x=/orders']) {
        assert.equal((await newBrowser(pod).navigate(`${SITE}${path}`)).seen?.url, path)
        const { seen } = await browser.navigate(`${SITE}${path}`)
        assert.equal(seen?.url, path)
        assert.equal(seen?.headers.cookie, undefined)
      }
    })

    it('opens no other spelling of an open path', async () => {
      for (const path of ['/open/%2e%2e/orders', '/open//page', '/OPEN/page', '/open;x/page', '/open/..%2forders']) {
        const { status, seen } = await browser.navigate(`${SITE}${path}`)
        assert.equal(seen, undefined)
        assert.ok(status === 401 || status === 302, `${path}: ${status}`)
      }
    })

    it('looks at nothing outside of what it protects', async () => {
      await applyLogin(pod, issuer, { rule: { includePaths: ['/orders', '/orders/*'], excludePaths: [] } })
      assert.equal((await browser.navigate(`${SITE}/catalogue`)).status, 200)
      assertSentAway(await browser.navigate(`${SITE}/orders`))
      assertSentAway(await browser.navigate(`${SITE}/Orders/1/?x`))
      assert.equal((await browser.open(PAGE)).status, 200)
      assert.equal((await browser.navigate(`${SITE}/catalogue`)).seen?.headers.cookie, undefined)
      assertRefused(await newBrowser(pod).fetch(`${SITE}/oauth2/callback?code=x&state=y`))
      assert.equal((await browser.navigate(`${SITE}/oauth2/sign-out`)).status, 302)
    })

    it('keeps its own paths where an open pattern covers them', async () => {
      await applyLogin(pod, issuer, { rule: { excludePaths: ['/oauth2/*', '/open/*'] } })
      assert.equal((await browser.open(PAGE)).status, 200)
      assert.equal((await newBrowser(pod).navigate(`${SITE}/oauth2/other`)).seen?.url, '/oauth2/other')
      assert.equal((await browser.navigate(`${SITE}/oauth2/sign-out`)).status, 302)
    })

    it('protects methods, and sends nobody away with another', async () => {
      await applyLogin(pod, issuer, { rule: { methods: ['POST'] } })
      assert.equal((await browser.navigate(PAGE)).status, 200)
      assertSentAway(await browser.navigate(PAGE, { method: 'POST' }))
      assertRefused(await browser.fetch(PAGE, { method: 'POST' }))
    })

    it('sends nobody away on an exempt port, and takes no session there', async () => {
      const exemptPorts = [pod.port('unknown')]
      await applyLogin(pod, issuer, { rule: { excludePaths: [], exemptPorts } })
      await browser.open(PAGE)
      const place = { address: pod.address, port: pod.port('unknown') }
      const stranger = newBrowser(pod)
      for (const one of [browser, stranger]) {
        one.hosts.set(HOST, place)
        for (const path of ['/orders', '/oauth2/callback?code=x&state=y', '/oauth2/sign-out', '/a;b']) {
          const { seen, headers } = await one.navigate(`${SITE}${path}`)
          assert.equal(seen?.url, path)
          assert.equal(seen?.headers.cookie, undefined)
          assert.equal(seen?.headers['x-user'], undefined)
          assert.equal(headers['set-cookie'], undefined)
        }
        one.hosts.set(HOST, { address: pod.address, port: pod.port('http') })
      }
      assertSentAway(await stranger.navigate(PAGE, { headers: { 'x-countersign-port': String(place.port) } }))
      assert.equal((await browser.navigate(PAGE)).status, 200)
    })

    it('sends nobody away who asks for another method', async () => {
      await applyLogin(pod, issuer, { rule: { methods: ['GET', 'POST'] } })
      for (const headers of [{ 'x-http-method-override': 'PUT' }, { x_method_override: 'x' }])
        for (const method of ['GET', 'PUT']) {
          const { status, seen } = await browser.navigate(PAGE, { method, headers })
          assert.equal(seen, undefined)
          assert.ok(status === 302 || status === 401, String(status))
        }
    })

    it('refuses open paths to requests with a header in place of the path, signed in or not', async () => {
      await applyLogin(pod, issuer, { rule: { excludePaths: ['/open/*'] } })
      for (const who of [browser, newBrowser(pod)]) {
        assert.equal((await who.navigate(`${SITE}/open/x`)).status, 200)
        for (const headers of [{ 'x-original-url': '/orders' }, { x_rewrite_url: '' }])
          assert.equal((await who.navigate(`${SITE}/open/x`, { headers })).status, 401)
      }
    })

    it('lets browsers ask whether they may send a request', async () => {
      const headers = { origin: 'https://a.test', 'access-control-request-method': 'GET' }
      const { seen } = await browser.fetch(PAGE, { method: 'OPTIONS', headers })
      assert.equal(seen?.method, 'OPTIONS')
    })
  })
})
