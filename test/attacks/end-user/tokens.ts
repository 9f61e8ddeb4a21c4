// A hostile end user sends tokens that are none, more than one, or signed by an issuer that puts anything into them.

import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  type Answer,
  type Checks,
  type PortName,
  type Request,
  startTokenPod,
  type TokenPod
} from '../../envoy/tokens/token-pod.ts'
import { keySet, newSigningKey, part, signed, signedWithSecret } from '../../oidc/index.ts'

const KEY = newSigningKey('ES256')
const ISSUER = 'https://issuer.test'
const exp = Math.floor(Date.now() / 1000) + 3600
const CLAIMS = { iss: ISSUER, sub: 'eve', exp }
const GOOD = signed(KEY, CLAIMS)
const FORGED = signed(newSigningKey('ES256'), { ...CLAIMS, sub: 'root' })
const [HEADER = '', PAYLOAD = '', SIGNATURE = ''] = GOOD.split('.')

/** A token with this text as its header and payload, well signed. */
function signedText(header: string, payload: string): string {
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${sign('sha256', Buffer.from(input), { key: KEY.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
const ES256 = '{"alg":"ES256","kid":"ES256"}'
const TEXT = JSON.stringify(CLAIMS)

const MALFORMED: readonly string[] = [
  ...[
    'a..b',
    '..',
    '...',
    '....',
    'a.b.',
    '.b.c',
    'a.b',
    '.',
    'a',
    '..c',
    'a..',
    '.b.',
    'a.b.c',
    'a.b.c.d',
    '-',
    '=',
    '==',
    '.=.'
  ],
  ...[
    `${HEADER}..${SIGNATURE}`,
    `${HEADER}.${PAYLOAD}.`,
    `.${PAYLOAD}.${SIGNATURE}`,
    `${HEADER}..`,
    `${GOOD}.`,
    `.${GOOD}`
  ],
  ...[
    `${HEADER}==.${PAYLOAD}.${SIGNATURE}`,
    `${HEADER}.${PAYLOAD}==.${SIGNATURE}`,
    `${HEADER}. ${PAYLOAD}.${SIGNATURE}`
  ],
  ...[`${GOOD},${GOOD}`, `${GOOD}, Bearer ${FORGED}`, `${FORGED}, Bearer ${GOOD}`, `${GOOD} ${FORGED}`, `"${GOOD}"`],
  ...[`${GOOD};x`, `${GOOD}#`, `${GOOD}%00`, 'a'.repeat(50_000), 'a.'.repeat(20_000), '.'.repeat(50_000)],
  ...['none', 'None', 'nOnE', ''].flatMap(alg => [
    `${part({ alg })}.${PAYLOAD}.`,
    `${part({ alg })}.${PAYLOAD}.${SIGNATURE}`,
    `${part({ alg, kid: 'ES256' })}.${PAYLOAD}.AAAA`
  ]),
  `${part({ alg: 'dir', enc: 'A256GCM' })}..aaaa.bbbb.cccc`,
  `${part({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.aaaa.bbbb.cccc.dddd`,
  `${part({ alg: 'dir', enc: 'A256GCM' })}.aaaa.cccc`,
  signedWithSecret(JSON.stringify(KEY.jwk), CLAIMS, { kid: 'ES256' }),
  signed(KEY, GOOD, { cty: 'JWT' }),
  signed(KEY, JSON.stringify(GOOD), { cty: 'JWT' }),
  signed(KEY, ''),
  FORGED,
  // Names that are there twice: parsers differ in which they take (RFC 8259, section 4).
  signedText('{"alg":"none","alg":"ES256","kid":"ES256"}', TEXT),
  signedText('{"alg":"ES256","alg":"none","kid":"ES256"}', TEXT),
  signedText('{"alg":"ES256","kid":"ES256","kid":"x"}', TEXT),
  signedText('{"alg":"ES256","crit":["x"],"crit":null,"kid":"ES256"}', TEXT),
  ...['"sub":"root"', '"iss":"https://other.test"', `"exp":${exp}`, '"aud":"web"'].map(claim =>
    signedText(ES256, `${TEXT.slice(0, -1)},${claim},${claim}}`)
  ),
  signedText(ES256, `${TEXT.slice(0, -1)},"sub":"root"}`),
  ...[`${TEXT}x`, `\ufeff${TEXT}`, `${TEXT}${TEXT}`, '[]', 'null', '1', '""'].map(text => signedText(ES256, text)),
  ...['1e400', '"1"', 'null', '[]', '-1', '0', 'true'].map(end =>
    signedText(ES256, `{"iss":"${ISSUER}","sub":"eve","exp":${end}}`)
  )
]

const CONTROLS = Array.from({ length: 0x20 }, (_, code) => code)
  .concat(0x7f)
  .map(code => String.fromCharCode(code))
const NO_HEADER: readonly unknown[] = [
  ...CONTROLS.flatMap(control => [`a${control}b`, control, `a\r\nx-user: root${control}`]),
  'a\r\nx-user: root',
  'a\r\n\r\nGET /admin HTTP/1.1\r\nhost: orders.shop\r\n\r\n',
  ' root',
  'root ',
  2 ** 53,
  -(2 ** 53),
  2 ** 64,
  1e308,
  [2 ** 53],
  [1, [-(2 ** 53)]],
  { n: 2 ** 53 },
  { a: 1, b: [{ c: 'x', d: 2 ** 64 }] }
]
const HARMLESS: readonly unknown[] = [
  { a: '\r\n' },
  { a: [1, { b: 2 ** 53 - 1 }] },
  ['a\nb'],
  [],
  {},
  null,
  true,
  1.5,
  -1,
  2 ** 53 - 1,
  'é',
  '日本',
  '\u0085',
  '\u2028',
  ''
]

describe('a hostile end user', () => {
  let pod: TokenPod
  before(async () => {
    pod = await startTokenPod('127.84.44')
    const places = {
      fromHeaders: [
        { name: 'authorization', prefix: 'Bearer ' },
        { name: 'x-token', prefix: '' }
      ],
      fromParams: ['token'],
      fromCookies: ['session']
    }
    const provider = {
      issuer: ISSUER,
      keySet: 'keys',
      requireExpiration: true,
      ...places,
      claimHeaders: [
        { header: 'x-user', claim: 'sub' },
        { header: 'x-level', claim: 'level' }
      ]
    }
    const checks: Checks = {
      providers: [
        { name: 'removed', ...provider },
        { name: 'forwarded', ...provider, forward: true },
        { name: 'other', ...provider, issuer: 'https://other.test' }
      ],
      rules: [
        { includePaths: ['/forwarded'], providers: ['forwarded'], required: true },
        { includePaths: ['/removed'], providers: ['removed'], required: true },
        { providers: ['removed', 'other'] }
      ]
    }
    await pod.apply(checks, { keys: keySet(KEY) })
  })
  after(() => pod?.stop())

  const PORTS: readonly PortName[] = ['http', 'unknown']
  const PATHS = ['/forwarded', '/removed', '/optional']

  /** It is told in one way, and nothing of what was sent is repeated. */
  function assertRefused({ status, headers, body, seen }: Answer, what: string): void {
    assert.equal(seen, undefined, what)
    assert.equal(status, 401, `${what}: ${body}`)
    assert.match(headers['www-authenticate'] ?? '', /^Bearer realm="countersign"(, error="invalid_token")?$/, what)
    assert.match(body, /^Jw[tk][\w ,.:'[\]-]{1,120}$/, what)
  }

  const places = (target: string, token: string): readonly Request[] => [
    { target, token },
    { target, headers: [['x-token', token]] },
    // What is no part of a query or of a cookie ends there.
    ...(/^[\w.=-]*$/.test(token)
      ? [{ target: `${target}?token=${token}` }, { target, headers: [['cookie', `session=${token}`] as const] }]
      : [])
  ]

  it('has a good token, so that the others prove something', async () => {
    for (const port of PORTS)
      for (const target of PATHS)
        for (const request of places(target, GOOD))
          assert.equal((await pod.ask(request, port)).seen?.headers['x-user'], 'eve')
  })

  it('is refused with every malformed token, in every place, also where none is needed', async t => {
    let count = 0
    for (const token of MALFORMED)
      for (const target of PATHS)
        for (const request of places(target, token)) {
          // A browser's or a proxy's own limit for headers.
          if (JSON.stringify(request).length > 59_000) continue
          assertRefused(await pod.ask(request), `${target} ${token.slice(0, 60)}`)
          count++
        }
    t.diagnostic(`${count} variants refused`)
  })

  it('is refused with the same tokens on a port of which nothing was said', async t => {
    for (const token of MALFORMED)
      assertRefused(await pod.ask({ target: '/removed', token }, 'unknown'), token.slice(0, 60))
    t.diagnostic(`${MALFORMED.length} variants refused`)
  })

  it('cannot send two tokens in two places, or two in one', async t => {
    const ways: Readonly<Record<string, (token: string) => Partial<Request>>> = {
      authorization: token => ({ headers: [['authorization', `Bearer ${token}`]] }),
      'bearer in capitals': token => ({ headers: [['Authorization', `BEARER ${token}`]] }),
      'a header of its own': token => ({ headers: [['x-token', token]] }),
      parameter: token => ({ target: `?token=${token}` }),
      'an encoded parameter': token => ({ target: `?t%6fken=${token}` }),
      cookie: token => ({ headers: [['cookie', `session=${token}`]] }),
      'a cookie with a blank': token => ({ headers: [['cookie', `a=1; session =${token}`]] })
    }
    let count = 0
    for (const [first, one] of Object.entries(ways))
      for (const [second, two] of Object.entries(ways))
        for (const [token, other] of [
          [GOOD, GOOD],
          [GOOD, FORGED],
          [FORGED, GOOD]
        ] as const)
          for (const path of PATHS) {
            const [a, b] = [one(token), two(other)]
            const query = [a.target, b.target]
              .filter(part => part !== undefined)
              .map(part => part.slice(1))
              .join('&')
            const request = {
              target: query === '' ? path : `${path}?${query}`,
              headers: [...(a.headers ?? []), ...(b.headers ?? [])]
            }
            assertRefused(await pod.ask(request), `${path}: ${first} and ${second}`)
            count++
          }
    t.diagnostic(`${count} variants refused`)
  })

  it('cannot hide a token that the application reads from the proxy, where none is needed', async t => {
    const hidden = ['bEaReR ', 'Bearer\t', 'BeArEr  ', 'bearer:', 'Bearer,', 'bearer=', 'BEARER\t ', 'bearEr '].map(
      prefix => `${prefix}${FORGED}`
    )
    const beside = [
      `Basic x, Bearer ${GOOD}`,
      `xBearer ${GOOD}`,
      `Digest a="b", Bearer ${GOOD}`,
      `Bearer x Bearer ${GOOD}`
    ]
    for (const value of [...hidden, ...beside])
      for (const target of PATHS) {
        const { status, seen } = await pod.ask({ target, headers: [['authorization', value]] })
        assert.equal(seen, undefined, value.slice(0, 30))
        assert.equal(status, 401)
      }
    t.diagnostic(`${(hidden.length + beside.length) * PATHS.length} variants refused`)
  })

  it('cannot put a line break, or what becomes another value, into a header by way of a claim', async t => {
    for (const value of NO_HEADER) {
      for (const claims of [{ level: value }, ...(typeof value === 'string' ? [{ sub: value }] : [])])
        assertRefused(
          await pod.ask({ target: '/removed', token: signed(KEY, { ...CLAIMS, ...claims }) }),
          JSON.stringify(value)
        )
    }
    for (const level of HARMLESS) {
      const { status, seen, body } = await pod.ask({ target: '/removed', token: signed(KEY, { ...CLAIMS, level }) })
      assert.equal(status, 200, `${JSON.stringify(level)}: ${body}`)
      assert.equal(seen?.headers['x-user'], 'eve')
    }
    t.diagnostic(`${NO_HEADER.length} claims refused, ${HARMLESS.length} let through`)
  })

  it('gets no answer of a server that failed for a token of any length', async t => {
    const lengths = [1, 1_000, 8_000, 16_000, 30_000, 40_000, 60_000]
    for (const length of lengths)
      for (const claims of [
        { more: 'y'.repeat(length) },
        { level: 'y'.repeat(length) },
        { level: ['y'.repeat(length)] }
      ]) {
        const { status } = await pod.ask({ target: '/removed', token: signed(KEY, { ...CLAIMS, ...claims }) })
        // 431: of the proxy for more than 60 KiB of headers, or of the application for its own limit.
        assert.ok([200, 401, 431].includes(status), `${length}: ${status}`)
      }
    t.diagnostic(`${lengths.length * 3} tokens`)
  })
})
