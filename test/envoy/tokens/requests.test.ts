// Which requests need a token, and where in them it is looked for: places, paths, methods, rules, protocols.

import assert from 'node:assert/strict'
import { connect, type IncomingHttpHeaders } from 'node:http2'
import { after, before, describe, it } from 'node:test'
import { keySet, newSigningKey, signed } from '../../oidc/index.ts'
import { type Row, rawValues, testRows, testRowsAsPeer } from './table.ts'
import { type Checks, startTokenPod, type TokenPod, written } from './token-pod.ts'

const [KEY, PARTNER_KEY] = [newSigningKey('ES256'), newSigningKey('ES256')]
const [ISSUER, PARTNER] = ['https://issuer.test', 'https://partner.test']
const inTenMinutes = (): number => Math.floor(Date.now() / 1000) + 600

// Good for as long as this file runs: rows compare what arrives with what was sent.
const GOOD = signed(KEY, { iss: ISSUER, sub: 'ada', exp: inTenMinutes() })
const BAD = signed(newSigningKey('ES256'), { iss: ISSUER, sub: 'eve', exp: inTenMinutes() })
const OF_PARTNER = signed(PARTNER_KEY, { iss: PARTNER, sub: 'bob', exp: inTenMinutes() })
const OF_STRANGER = signed(KEY, { iss: 'https://stranger.test', sub: 'eve', exp: inTenMinutes() })

const AUTHORIZATION = [{ name: 'Authorization', prefix: 'Bearer ' }]
const PLACES = {
  fromHeaders: [...AUTHORIZATION, { name: 'x-token', prefix: '' }, { name: 'x-prefixed', prefix: 'Token ' }],
  fromParams: ['token'],
  fromCookies: ['session']
}
const CHECKS: Checks = {
  providers: [
    { name: 'plain', issuer: ISSUER, keySet: 'keys', fromHeaders: AUTHORIZATION },
    { name: 'default', issuer: ISSUER, keySet: 'keys', forward: true },
    { name: 'removed', issuer: ISSUER, keySet: 'keys', ...PLACES },
    { name: 'forwarded', issuer: ISSUER, keySet: 'keys', ...PLACES, forward: true },
    { name: 'audience', issuer: ISSUER, audiences: ['bank'], keySet: 'keys', fromHeaders: AUTHORIZATION },
    { name: 'elsewhere', issuer: PARTNER, keySet: 'partner', fromHeaders: [{ name: 'x-partner' }], forward: true },
    { name: 'partner', issuer: PARTNER, keySet: 'partner', fromHeaders: AUTHORIZATION }
  ],
  rules: [
    { includePaths: ['/two/*'], providers: ['removed', 'elsewhere'], required: false },
    { includePaths: ['/removed/*'], providers: ['removed'], required: true },
    { includePaths: ['/forwarded/*'], providers: ['forwarded'], required: true },
    { includePaths: ['/audience'], providers: ['audience'], required: true },
    { includePaths: ['/either'], providers: ['plain', 'partner'], required: true },
    { includePaths: ['/partners/*'], providers: ['partner'], required: true },
    // Of an older policy: what the rule above has not taken.
    { includePaths: ['/partners/*', '/both/*'], providers: ['plain'], required: true },
    { includePaths: ['/optional/one'], providers: ['default'], required: false },
    { includePaths: ['/optional/*'], providers: ['default', 'partner'], required: false },
    { includePaths: ['/written'], methods: ['POST', 'PUT'], providers: ['plain'], required: true },
    { includePaths: ['/read'], methods: ['GET'], providers: ['plain'], required: true },
    {
      includePaths: ['/api/*', '/admin', '*.secret', '/users/{id}/keys'],
      excludePaths: ['/api/open', '/api/open/*'],
      providers: ['plain'],
      required: true
    },
    {
      includePaths: [`/long/${'a-very-long-path/'.repeat(20)}*`],
      excludePaths: [`/long/${'a-very-long-path/'.repeat(20)}open`],
      providers: ['plain'],
      required: true
    }
  ]
}

/** A whole HTTP/1.1 request with these headers, to a path. */
const at =
  (target: string, ...headers: [string, string][]) =>
  () => ({ target, headers })
const withCookie = (target: string, cookie: string) => at(target, ['cookie', cookie])
const sees =
  (name: string, ...values: string[]) =>
  (seen: Parameters<NonNullable<Row['seen']>>[0]) =>
    assert.deepEqual(rawValues(seen, name), values)
const MORE_THAN_ONE = /^Jwt is there more than once$/

const PLACES_OF_TOKENS: readonly Row[] = [
  {
    says: 'a token in Authorization, which the application does not get',
    source: 'RFC 6750, section 2.1',
    request: at('/removed/x', ['authorization', `Bearer ${GOOD}`]),
    status: 200,
    seen: sees('authorization')
  },
  {
    says: 'a token in Authorization, which it does get',
    source: 'RFC 6750, section 2.1',
    request: at('/forwarded/x', ['authorization', `Bearer ${GOOD}`]),
    status: 200,
    seen: sees('authorization', `Bearer ${GOOD}`)
  },
  ...['bearer', 'BEARER'].map(scheme => ({
    says: `the scheme in other letters: ${scheme}`,
    source: 'RFC 9110, section 11.1: case-insensitive',
    request: at('/removed/x', ['authorization', `${scheme} ${GOOD}`]),
    status: 200
  })),
  {
    says: 'the scheme in letters that nobody writes: there is no token that Envoy looks for',
    request: at('/removed/x', ['authorization', `bEaReR ${GOOD}`]),
    status: 401
  },
  {
    says: 'another scheme',
    source: 'RFC 7617',
    request: at('/removed/x', ['authorization', 'Basic YWRhOg==']),
    status: 401
  },
  {
    says: 'a token without a scheme',
    source: 'RFC 6750, section 2.1',
    request: at('/removed/x', ['authorization', GOOD]),
    status: 401
  },
  {
    says: 'a good token and a bad one in two headers Authorization',
    source: 'RFC 9110, section 5.3: one only',
    request: at('/forwarded/x', ['authorization', `Bearer ${GOOD}`], ['authorization', `Bearer ${BAD}`]),
    status: 401
  },
  {
    says: 'a bad one and a good one',
    source: 'RFC 9110, section 5.3: one only',
    request: at('/forwarded/x', ['authorization', `Bearer ${BAD}`], ['authorization', `Bearer ${GOOD}`]),
    status: 401
  },
  {
    says: 'a good one twice',
    source: 'RFC 9110, section 5.3: one only',
    request: at('/forwarded/x', ['authorization', `Bearer ${GOOD}`], ['authorization', `Bearer ${GOOD}`]),
    status: 401
  },
  {
    says: 'a good one and a bad one in one header',
    source: 'RFC 6750, section 2.1',
    request: at('/forwarded/x', ['authorization', `Bearer ${GOOD} ${BAD}`]),
    status: 401
  },
  {
    says: 'a token in a header of its own, which the application does not get',
    request: at('/removed/x', ['X-Token', GOOD]),
    status: 200,
    seen: sees('x-token')
  },
  {
    says: 'a token in a header of its own, which it does get',
    request: at('/forwarded/x', ['X-Token', GOOD]),
    status: 200,
    seen: sees('x-token', GOOD)
  },
  {
    says: 'a header of its own twice, with a good token and a bad one',
    request: at('/forwarded/x', ['x-token', GOOD], ['x-token', BAD]),
    status: 401
  },
  {
    says: 'a bad token in the same header with an underscore, which the application does not get',
    source: 'RFC 3875, section 4.1.18',
    request: at('/forwarded/x', ['x-token', GOOD], ['X_Token', BAD]),
    status: 200,
    seen: sees('x_token')
  },
  {
    says: 'a prefix',
    request: at('/removed/x', ['x-prefixed', `Token ${GOOD}`]),
    status: 200,
    seen: sees('x-prefixed')
  },
  { says: 'no prefix, where there should be one', request: at('/removed/x', ['x-prefixed', GOOD]), status: 401 },
  {
    says: 'a prefixed header twice, with a good token and a bad one',
    request: at('/forwarded/x', ['x-prefixed', `Token ${GOOD}`], ['x-prefixed', `Token ${BAD}`]),
    status: 401
  },
  {
    says: 'a token in a parameter, which the application does not get',
    source: 'RFC 6750, section 2.3',
    request: at(`/removed/x?b=%26x=2&token=${GOOD}&a=%20%0D%0A+%C3%A9&b=%23&c`),
    status: 200,
    seen: seen => assert.equal(seen.url, '/removed/x?b=%26x=2&a=%20%0D%0A+%C3%A9&b=%23&c')
  },
  {
    says: 'a token in the only parameter',
    source: 'RFC 6750, section 2.3',
    request: at(`/removed/x?%74oken=${GOOD}`),
    status: 200,
    seen: seen => assert.equal(seen.url, '/removed/x')
  },
  {
    says: 'a token in a parameter, beside a password of somebody, which stays',
    source: 'RFC 7617',
    request: at(`/removed/x?token=${GOOD}`, ['authorization', 'Basic YWRhOg==']),
    status: 200,
    seen: sees('authorization', 'Basic YWRhOg==')
  },
  {
    says: 'a token in a parameter, which it does get',
    source: 'RFC 6750, section 2.3',
    request: at(`/forwarded/x?a=1&token=${GOOD}`),
    status: 200,
    seen: seen => assert.equal(seen.url, `/forwarded/x?a=1&token=${GOOD}`)
  },
  {
    says: 'a parameter twice, of which the application would get neither',
    source: 'RFC 6750, section 3.1',
    request: at(`/removed/x?token=${GOOD}&a=1&token=${BAD}`),
    status: 401,
    reason: MORE_THAN_ONE
  },
  ...[
    `token=${GOOD}&token=${BAD}`,
    `token=${GOOD}&%74oken=${BAD}`,
    `a=1;token=${BAD}&token=${GOOD}`,
    `token=${GOOD}&token`
  ].map(query => ({
    says: `a parameter twice, of which it would get both: ${shortened(query)}`,
    source: 'RFC 6750, section 3.1',
    request: at(`/forwarded/x?${query}`),
    status: 401,
    reason: MORE_THAN_ONE
  })),
  {
    says: 'a parameter twice, a bad token first',
    source: 'RFC 6750, section 3.1',
    request: at(`/forwarded/x?token=${BAD}&token=${GOOD}`),
    status: 401
  },
  {
    says: 'a bad token in a parameter, of which the refusal repeats nothing',
    source: 'RFC 6750, section 5.3',
    request: at(`/forwarded/x?token=${BAD}`),
    status: 401,
    reason: /^Jwt verification fails$/
  },
  {
    says: 'a token in a cookie, which the application does not get',
    request: withCookie('/removed/x', `a=1; session=${GOOD}; b="x y"`),
    status: 200,
    seen: sees('cookie', 'a=1; b="x y"')
  },
  {
    says: 'a token in the only cookie',
    request: withCookie('/removed/x', `session=${GOOD}`),
    status: 200,
    seen: sees('cookie')
  },
  {
    says: 'a token in a cookie, which it does get',
    request: withCookie('/forwarded/x', `a=1; session=${GOOD}`),
    status: 200,
    seen: sees('cookie', `a=1; session=${GOOD}`)
  },
  ...[`session=${GOOD}; session=${BAD}`, `session=${GOOD}; session =${BAD}`, `a=1,session=${BAD}; session=${GOOD}`].map(
    cookie => ({
      says: `a cookie twice: ${shortened(cookie)}`,
      source: 'RFC 6265, section 5.4',
      request: withCookie('/forwarded/x', cookie),
      status: 401,
      reason: MORE_THAN_ONE
    })
  ),
  {
    says: 'a cookie twice, in two headers',
    source: 'RFC 6265, section 5.4',
    request: at('/forwarded/x', ['cookie', `session=${GOOD}`], ['cookie', `session=${BAD}`]),
    status: 401,
    reason: MORE_THAN_ONE
  },
  ...(['/removed/x', '/forwarded/x', '/two/x'] as const).flatMap(target => [
    {
      says: `good tokens in two headers of ${target}`,
      source: 'RFC 6750, section 2: one place only',
      request: at(target, ['authorization', `Bearer ${GOOD}`], ['x-token', GOOD]),
      status: 401,
      reason: MORE_THAN_ONE
    },
    {
      says: `good tokens in a header and a parameter of ${target}`,
      source: 'RFC 6750, section 2: one place only',
      request: at(`${target}?token=${GOOD}`, ['authorization', `Bearer ${GOOD}`]),
      status: 401,
      reason: MORE_THAN_ONE
    },
    {
      says: `good tokens in a header and a cookie of ${target}`,
      source: 'RFC 6750, section 2: one place only',
      request: at(target, ['authorization', `Bearer ${GOOD}`], ['cookie', `session=${GOOD}`]),
      status: 401,
      reason: MORE_THAN_ONE
    },
    {
      says: `good tokens in a parameter and a cookie of ${target}`,
      source: 'RFC 6750, section 2: one place only',
      request: at(`${target}?token=${GOOD}`, ['cookie', `session=${GOOD}`]),
      status: 401,
      reason: MORE_THAN_ONE
    }
  ]),
  {
    says: 'a good token, and one that nobody has looked at in the place of another issuer of the same rule',
    source: 'RFC 6750, section 2: one place only',
    request: at('/two/x', ['authorization', `Bearer ${GOOD}`], ['x-partner', BAD]),
    status: 401,
    reason: MORE_THAN_ONE
  },
  {
    says: 'the same, where that is no place of the rule',
    request: at('/either', ['authorization', `Bearer ${GOOD}`], ['x-partner', BAD]),
    status: 200,
    seen: sees('x-partner', BAD)
  },
  ...[`Basic x, Bearer ${GOOD}`, `xBearer ${GOOD}`, `Digest a="Bearer ${GOOD}`].map(value => ({
    says: `something else beside a good token in one header: ${shortened(value)}`,
    source: 'RFC 6750, section 2.1',
    request: at('/forwarded/x', ['authorization', value]),
    status: 401,
    reason: /^Jw/
  })),
  {
    says: 'a password and a good token in two headers',
    source: 'RFC 9110, section 5.3: one only',
    request: at('/forwarded/x', ['authorization', 'Basic YWRhOg=='], ['authorization', `Bearer ${GOOD}`]),
    status: 401,
    reason: /^Jwt is not alone in its place$/
  },
  ...[`a=1;access_token=${BAD}`, `access%20token=${BAD}`, `access.token=${BAD}`, `access_token[]=${BAD}`].map(
    query => ({
      says: `a wrong token in a parameter that Envoy does not see, where none is needed: ${shortened(query)}`,
      source: 'HTML 4.01, appendix B.2.2; PHP: an application may see it',
      request: at(`/optional/x?${query}`),
      status: 401,
      reason: /^Jwt is in a place that is written/
    })
  ),
  ...[`session =${BAD}`, `"session"=${BAD}`, `a=1,session=${BAD}`].map(cookie => ({
    says: `a wrong token in a cookie that Envoy does not see, where none is needed: ${shortened(cookie)}`,
    source: 'RFC 6265, section 5.2',
    request: withCookie('/two/x', cookie),
    status: 401,
    reason: /^Jwt is in a place that is written/
  })),
  {
    says: 'parameters and cookies of other names, where no token is needed',
    request: at('/optional/x?a.b[]=1;c&access_tokens=x&my_access_token=y', [
      'cookie',
      'sessions=1; a="session=1"; b={"session":1}'
    ]),
    status: 200
  },
  ...['bEaReR ', 'Bearer\t', 'BEARER:', 'BeareR  '].map(prefix => ({
    says: `a wrong token with a scheme of no usual spelling, where none is needed: ${JSON.stringify(prefix)}`,
    source: 'RFC 9110, section 11.1: an application may take it',
    request: at('/optional/x', ['authorization', `${prefix}${BAD}`]),
    status: 401,
    reason: /^Jwt is in a place that is written/
  })),
  {
    says: 'a good token, and a bad one in another header',
    source: 'RFC 6750, section 2',
    request: at('/forwarded/x', ['authorization', `Bearer ${GOOD}`], ['x-token', BAD]),
    status: 401
  },
  {
    says: 'a good token, and a bad one in a parameter',
    source: 'RFC 6750, section 2',
    request: at(`/forwarded/x?token=${BAD}`, ['authorization', `Bearer ${GOOD}`]),
    status: 401
  },
  {
    says: 'a good token, and a bad one in a cookie',
    source: 'RFC 6750, section 2',
    request: at('/forwarded/x', ['authorization', `Bearer ${GOOD}`], ['cookie', `session=${BAD}`]),
    status: 401
  },
  {
    says: 'a token in a place that is not one of them',
    request: at(`/either?token=${GOOD}`, ['x-token', GOOD], ['cookie', `session=${GOOD}`]),
    status: 401,
    reason: /^Jwt is missing$/
  }
]

function shortened(text: string): string {
  return text.replaceAll(GOOD, 'GOOD').replaceAll(BAD, 'BAD')
}

const needed = (says: string, target: string, source?: string): Row => ({
  says,
  request: at(target),
  status: 401,
  reason: /^Jwt is missing$/,
  ...(source === undefined ? {} : { source })
})
const open = (says: string, target: string, url = target): Row => ({
  says,
  request: at(target),
  status: 200,
  seen: seen => assert.equal(seen.url, url)
})

const PATHS: readonly Row[] = [
  needed('a protected path', '/admin'),
  needed('with a slash at its end', '/admin/', 'RFC 3986, section 6.2.4'),
  needed('in other letters', '/ADMIN', 'RFC 3986, section 6.2.2.1'),
  needed('with a query', '/admin?x=1', 'RFC 3986, section 3.4'),
  needed('with an empty query', '/admin?'),
  needed('two slashes before it', '//admin'),
  needed('two slashes in it', '/api//x'),
  needed('a dot segment before it', '/./admin', 'RFC 3986, section 6.2.2.3'),
  needed('two dots in it', '/x/../admin', 'RFC 3986, section 6.2.2.3'),
  needed('out of what is open, and back', '/api/open/../admin', 'RFC 3986, section 6.2.2.3'),
  needed('encoded dots', '/%2e/admin', 'RFC 3986, section 6.2.2.2'),
  needed('an encoded letter', '/%61dmin', 'RFC 3986, section 6.2.2.2'),
  needed('an encoded slash', '/x%2fadmin', 'RFC 3986, section 2.2'),
  needed('an encoded slash in what is open', '/api/open/..%2fadmin', 'RFC 3986, section 2.2'),
  needed('a backslash', '/api\\x', 'WHATWG URL, section 4.4'),
  needed('an encoded backslash', '/x%5cadmin', 'WHATWG URL, section 4.4'),
  needed('a parameter of a path', '/admin;x=1', 'RFC 3986, section 3.3'),
  needed('a parameter of a segment of dots', '/api/open/..;/admin', 'RFC 3986, section 3.3'),
  needed('something encoded twice', '/%2561dmin', 'RFC 3986, section 2.4'),
  needed('an encoding of nothing', '/x%zz', 'RFC 3986, section 2.1'),
  needed('overlong UTF-8', '/x%c0%afadmin', 'RFC 3629, section 3'),
  needed('the whole URL', 'http://orders.shop/admin', 'RFC 9112, section 3.2.2'),
  needed('the whole URL, with somebody in it', 'http://user@orders.shop/admin', 'RFC 9112, section 3.2.2'),
  needed('below a protected folder', '/api/v1/x'),
  needed('the folder itself', '/api'),
  needed('the end of a name', '/files/a.SECRET'),
  needed('a segment that may be anything', '/users/7/keys'),
  needed('a path longer than any that Envoy takes by itself', `/long/${'a-very-long-path/'.repeat(20)}x`),
  needed('an open path in other letters', '/api/OPEN'),
  needed('an open path with a slash', '/API/open/'),
  needed('an open path with a parameter', '/api/open;x'),
  open('what is open', '/api/open'),
  open('what is open, with a query', '/api/open?next=/admin'),
  open('what is below it', '/api/open/x'),
  open('what is open, by way of dots that are gone when it arrives', '/api/x/../open', '/api/open'),
  open('what is open, with a letter encoded that no longer is when it arrives', '/api/ope%6e', '/api/open'),
  open('what is open on a long path', `/long/${'a-very-long-path/'.repeat(20)}open`),
  open('a path that no rule names', '/elsewhere'),
  open('a protected path in a query', '/elsewhere?/admin'),
  open('a longer word', '/administration'),
  open('the root', '/'),
  { says: 'a fragment', source: 'RFC 9112, section 3.2: none', request: at('/admin#x'), status: 400 },
  { says: 'a control character, encoded', source: 'RFC 3986, section 7.3', request: at('/admin%00'), status: 400 },
  { says: 'a path without a slash', source: 'RFC 9112, section 3.2.1', request: at('admin'), status: 400 },
  {
    says: 'the server as a whole, which has no route',
    source: 'RFC 9110, section 9.3.7',
    request: () => ({ method: 'OPTIONS', target: '*' }),
    status: 404
  }
]

const METHODS: readonly Row[] = [
  { says: 'a method that is named', request: () => ({ method: 'POST', target: '/written' }), status: 401 },
  { says: 'another that is named', request: () => ({ method: 'PUT', target: '/written' }), status: 401 },
  { says: 'one that is not', request: () => ({ method: 'GET', target: '/written' }), status: 200 },
  {
    says: 'HEAD, where GET is named',
    source: 'RFC 9110, section 9.3.2',
    request: () => ({ method: 'HEAD', target: '/read' }),
    status: 401
  },
  {
    says: 'a method in lower case, which is none',
    source: 'RFC 9110, section 9.1: case-sensitive',
    request: () => ({ method: 'get', target: '/read' }),
    status: 400
  },
  ...['x-http-method-override', 'X-HTTP-Method', 'x-method-override', 'x_http_method_override', 'x-http_method'].map(
    name => ({
      says: `the wish for another method in ${name}`,
      source: 'no specification has it: whatever its value is',
      request: () => ({ method: 'GET', target: '/written', headers: [[name, 'GET'] as const] }),
      status: 401
    })
  ),
  ...['/written?_method=PUT', '/written?a=1&%5fm%65thod=PUT', '/written?a;_METHOD'].map(target => ({
    says: `the same in the query: ${target}`,
    source: 'no specification has it',
    request: at(target),
    status: 401
  })),
  {
    says: 'the wish for another method, where no rule names methods',
    request: () => ({ target: '/elsewhere?_method=PUT', headers: [['x-http-method-override', 'PUT']] }),
    status: 200,
    seen: sees('x-http-method-override', 'PUT')
  },
  {
    says: 'what the filters tell each other, sent by the client, which the application does not get',
    request: () => ({
      target: '/elsewhere',
      headers: [
        ['x-countersign-method', 'GET'],
        ['X_Countersign_Method', 'GET']
      ]
    }),
    status: 200,
    seen: seen =>
      assert.deepEqual(
        Object.keys(seen.headers).filter(name => /countersign/i.test(name)),
        []
      )
  },
  {
    says: 'a registered method that is not named',
    request: () => ({ method: 'PATCH', target: '/written' }),
    status: 200
  },
  {
    says: 'a browser that asks before it sends',
    source: 'Fetch, section 4.8',
    request: () => preflight({}),
    status: 200
  },
  {
    says: 'the same with another method: it is no such question',
    source: 'Fetch, section 4.8',
    request: () => preflight({ method: 'GET' }),
    status: 401
  },
  {
    says: 'the same with the wish for another method: no browser sends it',
    source: 'Fetch, section 4.8',
    request: () => preflight({ more: [['x-http-method-override', 'DELETE']] }),
    status: 401
  },
  {
    says: 'the same from nowhere',
    source: 'Fetch, section 4.8',
    request: () => preflight({ without: 'origin' }),
    status: 401
  },
  {
    says: 'the same for nothing',
    source: 'Fetch, section 4.8',
    request: () => preflight({ without: 'access-control-request-method' }),
    status: 401
  }
]

const preflight = ({
  method = 'OPTIONS',
  without = '',
  more = []
}: {
  method?: string
  without?: string
  more?: readonly (readonly [string, string])[]
}) => ({
  method,
  target: '/admin',
  headers: [['origin', 'https://app.test'], ['access-control-request-method', 'GET'], ...more].filter(
    ([name]) => name !== without
  ) as [string, string][]
})

const RULES: readonly Row[] = [
  { says: 'a token of one of two issuers', request: () => ({ target: '/either', token: GOOD }), status: 200 },
  { says: 'a token of the other', request: () => ({ target: '/either', token: OF_PARTNER }), status: 200 },
  { says: 'a token of neither', request: () => ({ target: '/either', token: OF_STRANGER }), status: 401 },
  { says: 'the first rule for a path', request: () => ({ target: '/partners/x', token: OF_PARTNER }), status: 200 },
  {
    says: 'a later rule for the same path, which is not asked',
    request: () => ({ target: '/partners/x', token: GOOD }),
    status: 401
  },
  {
    says: 'an unusual spelling of a path of a later rule, with the token of an earlier one',
    source: 'RFC 3986, section 3.3: an application may leave out what follows a semicolon',
    request: () => ({ target: '/both;x', token: OF_PARTNER }),
    status: 401
  },
  { says: 'a later rule for a path of its own', request: () => ({ target: '/both/x', token: GOOD }), status: 200 },
  { says: 'no token, where none is needed', request: () => ({ target: '/optional/x' }), status: 200 },
  {
    says: 'a good one, where none is needed',
    request: () => ({ target: '/optional/x', token: OF_PARTNER }),
    status: 200
  },
  { says: 'a wrong one, where none is needed', request: () => ({ target: '/optional/x', token: BAD }), status: 401 },
  {
    says: 'one of a stranger, where none is needed',
    request: () => ({ target: '/optional/x', token: OF_STRANGER }),
    status: 401
  },
  { says: 'no token, where one issuer is known and none is needed', request: at('/optional/one'), status: 200 },
  {
    says: 'one of a stranger, where one issuer is known and none is needed',
    request: () => ({ target: '/optional/one', token: OF_STRANGER }),
    status: 401
  },
  {
    says: 'a wrong one with the scheme in small letters, where none is needed',
    source: 'RFC 9110, section 11.1',
    request: at('/optional/one', ['authorization', `bearer ${BAD}`]),
    status: 401
  },
  {
    says: 'a wrong one in access_token, where none is needed and no place is named',
    source: 'RFC 6750, section 2.3',
    request: at(`/optional/one?access_token=${BAD}`),
    status: 401
  },
  {
    says: 'a password, where no token is needed',
    source: 'RFC 7617',
    request: at('/optional/one', ['authorization', 'Basic YWRhOg==']),
    status: 200,
    seen: sees('authorization', 'Basic YWRhOg==')
  },
  {
    says: 'a wrong token that no rule looks at',
    request: () => ({ target: '/elsewhere', token: BAD }),
    status: 200,
    seen: sees('authorization', `Bearer ${BAD}`)
  }
]

describe('a request', () => {
  let pod: TokenPod
  before(async () => {
    pod = await startTokenPod('127.83.62')
    await pod.apply(CHECKS, { keys: keySet(KEY), partner: keySet(PARTNER_KEY) })
  })
  after(() => pod?.stop())

  const tables = { PLACES_OF_TOKENS, PATHS, METHODS, RULES }
  for (const [name, rows] of Object.entries(tables))
    describe(name.toLowerCase().replaceAll('_', ' '), () => testRows(rows, () => pod))

  describe('over mutual TLS', () => testRowsAsPeer([...RULES, ...PATHS.slice(0, 10)], () => pod))

  it('is judged by as many rows as there should be', () => {
    assert.ok(Object.values(tables).flat().length >= 100)
  })

  it('is looked at on a port of which nothing was said, where HTTP is recognised', async () => {
    assert.equal((await pod.ask({ target: '/admin' }, 'unknown')).status, 401)
    assert.equal((await pod.ask({ target: '/admin', token: GOOD }, 'unknown')).status, 200)
  })

  const upgrade = (token?: string) =>
    written({
      target: '/admin',
      ...(token === undefined ? {} : { token }),
      headers: [
        ['connection', 'upgrade'],
        ['upgrade', 'websocket'],
        ['sec-websocket-version', '13'],
        ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ==']
      ]
    })

  it('for a WebSocket needs a token as well (RFC 6455, section 4.2.2)', async () => {
    for (const token of [undefined, BAD]) {
      const refused = await pod.open()
      refused.write(upgrade(token))
      assert.match(await refused.received('Jwt '), /^HTTP\/1\.1 401 /)
      refused.close()
    }
    const accepted = await pod.open()
    accepted.write(upgrade(GOOD))
    await accepted.received('101 Switching Protocols')
    accepted.write('hello')
    await accepted.received('hello')
    accepted.close()
  })

  const http2 = (
    headers: Readonly<Record<string, string | string[]>>
  ): Promise<{ head: IncomingHttpHeaders; body: string }> =>
    new Promise((resolve, reject) => {
      const session = connect(`http://${pod.address}:${pod.port('http2')}`)
      session.on('error', reject)
      const stream = session.request({ ':path': '/admin', ...headers })
      let head: IncomingHttpHeaders = {}
      let body = ''
      stream.on('response', given => {
        head = given
      })
      stream.on('data', part => {
        body += String(part)
      })
      stream.on('error', reject)
      stream.on('end', () => session.close(() => resolve({ head, body })))
    })

  it('in HTTP/2 needs a token as well', async () => {
    assert.equal((await http2({})).head[':status'], 401)
    assert.equal((await http2({ authorization: `Bearer ${BAD}` })).head[':status'], 401)
    assert.equal((await http2({ authorization: `Bearer ${GOOD}` })).head[':status'], 200)
    assert.equal((await http2({ ':path': '/API//OPEN' })).head[':status'], 401)
  })

  it('in HTTP/2 has methods in any case, and such that nobody registered (RFC 9110, section 9.1)', async () => {
    for (const [method, status] of [
      ['POST', 401],
      ['post', 401],
      ['pOsT', 401],
      ['patch', 401],
      ['FOO', 401],
      ['PATCH', 200],
      ['GET', 200]
    ] as const)
      assert.equal((await http2({ ':method': method, ':path': '/written' })).head[':status'], status, method)
  })

  it('is not looked at on an exempt port, whatever port it names itself', async () => {
    const rules = [{ exemptPorts: [pod.port('unknown')], providers: ['plain'], required: true }]
    await pod.apply({ ...CHECKS, rules }, { keys: keySet(KEY) })
    const header = ['x-countersign-port', String(pod.port('unknown'))] as const
    for (const target of ['/', '/a//b', '/%41']) {
      assert.equal((await pod.ask({ target }, 'unknown')).status, 200)
      assert.equal((await pod.ask({ target, headers: [header] }, 'http')).status, 401)
    }
    assert.equal((await http2({ [header[0]]: header[1] })).head[':status'], 401)
    await pod.apply(CHECKS, { keys: keySet(KEY), partner: keySet(PARTNER_KEY) })
  })

  it('in HTTP/2 has cookies in pieces, which are one (RFC 9113, section 8.2.3)', async () => {
    const { head, body } = await http2({ ':path': '/removed/x', cookie: ['a=1', `session=${GOOD}`, 'b=2'] })
    assert.equal(head[':status'], 200)
    assert.equal(JSON.parse(body).headers.cookie, 'a=1; b=2')
    const twice = await http2({ ':path': '/forwarded/x', cookie: [`session=${GOOD}`, `session=${BAD}`] })
    assert.equal(twice.head[':status'], 401)
  })

  it('of gRPC is refused in its own words: UNAUTHENTICATED (gRPC, status codes)', async () => {
    const grpc = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
    const critical = signed(KEY, { iss: ISSUER, exp: inTenMinutes() }, { crit: ['x'] })
    const refused = [['/admin'], ['/admin', BAD], ['/admin', critical], ['/audience', GOOD]] as const
    for (const [path, token] of refused) {
      const { head } = await http2({
        ...grpc,
        ':path': path,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
      })
      assert.equal(head[':status'], 200)
      assert.equal(head['grpc-status'], '16')
      assert.match(String(head['grpc-message']), /Jwt/)
    }
    const { body } = await http2({ ...grpc, authorization: `Bearer ${GOOD}` })
    assert.equal(JSON.parse(body).url, '/admin')
  })
})
