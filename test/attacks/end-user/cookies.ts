// A hostile end user who can plant cookies in another person's browser, from a page of a sibling domain or by answering
// for http, wants that person to be signed in as somebody else, or signs in with cookies that are not a session.
//
// Browsers keep no cookie whose name begins with `__Host-` from there (test/browser shows it with Chromium). So what can
// be planted are cookies of every other name, and the names that servers are known to read as such a one.

import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { eventually } from '../../envoy/index.ts'
import { type Browser, locationOf, type Visit } from '../../envoy/login/browser.ts'
import { type Issuer, startIssuer } from '../../envoy/login/issuer.ts'
import { applyLogin, HOST, newBrowser, SITE, startLoginPod } from '../../envoy/login/login-pod.ts'
import type { TokenPod } from '../../envoy/tokens/token-pod.ts'

const PAGE = `${SITE}/orders`
type Cookies = readonly (readonly [string, string])[]

/** Names that a browser lets anybody plant, and that a careless server takes for the one that begins with `__Host-`. */
const PLANTABLE: Readonly<Record<string, (name: string) => string>> = {
  'the former name': name => name.replace('__Host-', ''),
  'another prefix': name => name.replace('__Host-', '__Secure-'),
  'small letters': name => name.toLowerCase(),
  capitals: name => name.toUpperCase(),
  'a tab before it': name => `\t${name}`,
  'a blank of Unicode before it': name => `${Buffer.from('\u2000').toString('latin1')}${name}`,
  'a blank of Latin-1 before it': name => `\xa0${name}`,
  quotes: name => `"${name}"`,
  'a percent-encoded letter': name => name.replace('H', '%48'),
  'percent-encoded underscores': name => name.replace('__', '%5f%5f'),
  'a dollar sign before it': name => `$${name}`,
  'a plus sign before it': name => `+${name}`,
  'brackets behind it': name => `${name}[]`,
  'a version of an old specification before it': name => `$Version=1,${name}`,
  'a cookie before it, with a comma': name => `a=1,${name}`
}

describe('a hostile end user who plants cookies', () => {
  let pod: TokenPod
  let issuer: Issuer
  let evesSession: Cookies
  before(async () => {
    pod = await startLoginPod('127.84.43')
  })
  after(() => pod?.stop())
  afterEach(() => issuer?.stop())
  beforeEach(async () => {
    issuer = await startIssuer()
    await applyLogin(pod, issuer)
    await eventually(async () => assert.equal((await newBrowser(pod).navigate(PAGE)).status, 302))
    evesSession = await sessionOf('eve')
    issuer.answers.claims = { sub: 'ada' }
  })

  const userOf = ({ seen }: Visit): unknown =>
    seen === undefined ? undefined : JSON.parse(Buffer.from(String(seen.headers['x-user']), 'base64url').toString()).sub

  async function signedIn(sub: string): Promise<Browser> {
    issuer.answers.claims = { sub }
    const browser = newBrowser(pod)
    assert.equal(userOf(await browser.open(PAGE)), sub)
    return browser
  }
  const sessionOf = async (sub: string): Promise<Cookies> => [...(await signedIn(sub)).cookies(HOST)]
  const line = (cookies: Cookies): string => cookies.map(pair => pair.join('=')).join('; ')
  const renamed = (cookies: Cookies, rename: (name: string) => string): Cookies =>
    cookies.map(([name, value]) => [rename(name), value])

  it('has a session of their own, so that the others prove something', async () => {
    const visit = await newBrowser(pod).navigate(PAGE, { headers: { cookie: line(evesSession) } })
    assert.equal(userOf(visit), 'eve')
  })

  it('cannot sign anybody in with cookies of any name that can be planted', async t => {
    for (const [what, rename] of Object.entries(PLANTABLE)) {
      const headers = { cookie: line(renamed(evesSession, rename)) }
      const visit = await newBrowser(pod).navigate(PAGE, { headers })
      assert.equal(visit.seen, undefined, what)
      assert.equal(visit.status, 302, what)
      assert.equal((await newBrowser(pod).fetch(PAGE, { headers })).status, 401, what)
    }
    t.diagnostic(`${Object.keys(PLANTABLE).length} names refused`)
  })

  it('cannot change who is signed in, by cookies before or behind theirs, all or some', async t => {
    const browser = await signedIn('ada')
    const own: Cookies = [...browser.cookies(HOST)]
    let count = 0
    for (const [what, rename] of Object.entries(PLANTABLE)) {
      const planted = renamed(evesSession, rename)
      const sets = [planted, ...planted.map(one => [one])]
      for (const set of sets)
        for (const cookies of [
          [...set, ...own],
          [...own, ...set]
        ]) {
          const visit = await browser.fetch(PAGE, { headers: { cookie: line(cookies) } })
          // Refused is a nuisance; somebody else would be an attack.
          assert.ok(userOf(visit) === 'ada' || visit.status === 401, `${what}: ${visit.status} ${userOf(visit)}`)
          count++
        }
    }
    t.diagnostic(`${count} mixtures of cookies`)
  })

  it('cannot mix cookies of two sessions, even of the right names, into another', async t => {
    const own = await sessionOf('ada')
    let count = 0
    for (let choice = 1; choice < 2 ** own.length - 1; choice++) {
      const mixed = own.map(([name, value], index): readonly [string, string] => [
        name,
        (choice >> index) & 1 ? (evesSession[index]?.[1] ?? '') : value
      ])
      const visit = await newBrowser(pod).fetch(PAGE, { headers: { cookie: line(mixed) } })
      // Both have the same access token, and may end at the same second: what counts is whose the ID token is.
      const owners = ['-hmac', '-id'].map(end => {
        const value = mixed.find(([name]) => name.endsWith(end))?.[1]
        return own.some(pair => pair[1] === value) ? 'ada' : 'eve'
      })
      if (visit.status !== 401) assert.deepEqual(owners, [userOf(visit), userOf(visit)], `mixture ${choice}`)
      count++
    }
    t.diagnostic(`${count} mixtures sign in nobody else`)
  })

  it('cannot have anybody finish a sign-in that they began, with cookies of any name that can be planted', async t => {
    for (const [what, rename] of Object.entries(PLANTABLE)) {
      const own = newBrowser(pod)
      const back = locationOf(await own.navigate(locationOf(await own.navigate(PAGE))))
      const planted = renamed([...own.cookies(HOST)], rename)
      assert.ok(planted.length >= 2, 'nonce and verifier')
      const before = issuer.requests.length
      const victim = newBrowser(pod)
      const visit = await victim.navigate(back, { headers: { cookie: line(planted) } })
      assert.equal(visit.seen, undefined, what)
      assert.ok([400, 401].includes(visit.status), `${what}: ${visit.status}`)
      assert.deepEqual(
        [...victim.cookies(HOST).keys()].filter(name => /-(?:hmac|id|access)$/.test(name)),
        [],
        what
      )
      assert.equal(issuer.requests.length, before, 'the code was used')
    }
    t.diagnostic(`${Object.keys(PLANTABLE).length} names refused`)
  })

  it('cannot use what they began for a sign-in that another browser has begun', async () => {
    const [own, victim] = [newBrowser(pod), newBrowser(pod)]
    const back = locationOf(await own.navigate(locationOf(await own.navigate(PAGE))))
    await victim.navigate(PAGE)
    const planted = renamed([...own.cookies(HOST)], PLANTABLE['the former name'] ?? String)
    for (const cookies of [
      [...planted, ...victim.cookies(HOST)],
      [...victim.cookies(HOST), ...planted]
    ]) {
      const visit = await newBrowser(pod).navigate(back, { headers: { cookie: line(cookies) } })
      assert.ok([400, 401].includes(visit.status), String(visit.status))
    }
  })

  it('cannot sign in with the cookies of another policy, under the names of this one', async () => {
    await applyLogin(pod, issuer, { secret: 'another secret', login: { secret: 'shop/web' } })
    await eventually(async () => {
      const visit = await newBrowser(pod).navigate(PAGE, { headers: { cookie: line(evesSession) } })
      assert.equal(visit.status, 302)
    })
    assert.equal((await newBrowser(pod).fetch(PAGE, { headers: { cookie: line(evesSession) } })).status, 401)
  })
})
