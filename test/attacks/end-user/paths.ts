// A hostile end user writes protected paths in spellings that an application reads as those paths.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Http2Client } from '../../envoy/tokens/http2-client.ts'
import { startTokenPod, type TokenPod } from '../../envoy/tokens/token-pod.ts'
import { keySet, newSigningKey } from '../../oidc/index.ts'

const KEY = newSigningKey('ES256')

/** A path as UTF-8, one character for each byte. */
const raw = (path: string): string => Buffer.from(path).toString('latin1')

const CHARACTERS = Array.from({ length: 0x110000 - 0x80 }, (_, index) => index + 0x80)
  .filter(code => code < 0xd800 || code > 0xdfff)
  .map(code => String.fromCodePoint(code))

/** What applications that fold, normalise or strip read in place of a character. */
function readings(character: string): ReadonlySet<string> {
  const forms = [character, character.normalize('NFKC')]
  const folded = forms.flatMap(form => [form, form.toLowerCase(), form.toUpperCase(), form.toUpperCase().toLowerCase()])
  return new Set([...folded, ...folded.map(form => form.normalize('NFKC'))])
}
const NOT_SEEN = /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Z}]/u
const mayBeAscii = (character: string): boolean =>
  NOT_SEEN.test(character) || [...readings(character)].some(form => /[\0-\x7f]/.test(form))

const LOOKALIKES = CHARACTERS.filter(mayBeAscii)

/** Every spelling of a path with one character in place of one that it may be read as. */
const lookalikesOf = (path: string): readonly string[] =>
  LOOKALIKES.flatMap(character => {
    const forms = readings(character)
    return [...path].flatMap((letter, index) =>
      forms.has(letter) ? [`${path.slice(0, index)}${character}${path.slice(index + 1)}`] : []
    )
  })

const BLANKS = ['%20', '%09', '%0a', '%0d', '%0b', '%0c', '%85', '%a0', '%c2%85', '%c2%a0', '%e2%80%83', '%e3%80%80']
const INVISIBLE = ['%c2%ad', '%e2%80%8b', '%e2%80%8d', '%e2%81%a0', '%ef%bb%bf', '%ef%b8%8f', '%f3%a0%80%a0', '%cd%8f']
const ENDINGS = [
  '%3f',
  '%3fx=1',
  '%23',
  '%23top',
  ';',
  ';x=1',
  ';/',
  '%3b',
  '%00',
  '%00.html',
  '%2f',
  '%5c',
  '\\',
  '/',
  '//'
]
const BROKEN = [
  '%ff',
  '%fe',
  '%80',
  '%bf',
  '%c3',
  '%c0%80',
  '%c1%bf',
  '%ed%a0%80',
  '%f5%80%80%80',
  '%',
  '%u0000',
  '%1',
  '%e2%80'
]
const DOTS = [
  '..',
  '%2e%2e',
  '.%2e',
  '%252e%252e',
  '%e2%80%a5',
  '%e2%80%a4%e2%80%a4',
  '%ef%bc%8e%ef%bc%8e',
  '%c0%ae%c0%ae'
]
const SLASHES = [
  '/',
  '//',
  '%2f',
  '%5c',
  '\\',
  '%252f',
  '%e2%88%95',
  '%e2%81%84',
  '%ef%bc%8f',
  '%c0%af',
  '%e0%80%af',
  ';/'
]

/** Against `/one`, which alone is protected. */
const OF_ONE: readonly string[] = [
  ...[...BLANKS, ...INVISIBLE, ...BROKEN, ...ENDINGS].map(end => `/one${end}`),
  ...[...BLANKS, ...INVISIBLE, ...BROKEN].flatMap(text => [`/${text}one`, `/o${text.replace('%20', '%09')}ne`]),
  ...BLANKS.map(blank => `/one${blank}/`),
  ...[
    '/ONE',
    '/oNe/',
    '/%6fne',
    '/%4FNE',
    '/%256fne',
    '/./one',
    '/x/../one',
    '//one',
    '/%u006fne',
    '/one?',
    '/one?x=/',
    '/x/..;/one'
  ],
  ...SLASHES.filter(slash => slash !== '/').flatMap(slash => [`/x${slash}..${slash}one`, `/one${slash}`])
]

/** Against what is open below a protected folder. */
const OUT_OF_OPEN: readonly string[] = DOTS.flatMap(dots =>
  SLASHES.map(slash => `/admin/open/${dots}${slash}secret`)
).concat(DOTS.map(dots => `/admin/open/${dots}`))

const OF_LETTERS = [
  '/caf%c3%89',
  '/CAF%C3%A9',
  '/cafe%cc%81',
  '/CAFE%CC%81',
  '/caf%C3%A9/',
  '/%63af%c3%a9',
  '/caf%e9',
  '/café'
]

/** Each name with each of its dashes as a dash and as an underscore. */
const inUnderscores = (name: string): readonly string[] =>
  name
    .split('-')
    .reduce<readonly string[]>(
      (texts, part) => (texts.length === 0 ? [part] : texts.flatMap(text => [`${text}-${part}`, `${text}_${part}`])),
      []
    )
const OVERRIDES = [
  ...['x-original-url', 'x-rewrite-url', 'script-name', 'x-script-name', 'path-info', 'x-invoke-path', 'x-matched-path']
].flatMap(inUnderscores)
const OVERRIDING: readonly (string | string[])[] = [
  '/one',
  '/',
  '',
  '/two',
  'x',
  'https://a.test/one',
  ['/two', '/one']
]
const PATH_HEADERS = inUnderscores('x-countersign-path')

describe('a hostile end user', () => {
  let pod: TokenPod
  let client: Http2Client
  before(async () => {
    pod = await startTokenPod('127.84.41')
    client = new Http2Client(pod)
    const providers = [{ name: 'p', issuer: 'https://issuer.test', keySet: 'keys' }]
    const rule = { providers: ['p'], required: true }
    await pod.apply(
      {
        providers,
        rules: [
          { ...rule, includePaths: ['/one', '/kiss', '/caf%C3%A9'] },
          { ...rule, includePaths: ['/admin/*'], excludePaths: ['/admin/open/*'] }
        ]
      },
      { keys: keySet(KEY) }
    )
  })
  after(async () => {
    client?.close()
    await pod?.stop()
  })

  /** Asks for each path without a token, some at a time; those that reached the application. */
  async function reached(paths: readonly string[]): Promise<readonly string[]> {
    const passed: string[] = []
    const left = [...paths]
    const worker = async (): Promise<void> => {
      for (let path = left.pop(); path !== undefined; path = left.pop()) {
        const { status, seen } = await client.ask({ ':path': path })
        // 400: Envoy itself refuses it; 0: it resets the stream.
        if (seen !== undefined || ![400, 401, 0].includes(status)) passed.push(`${path} ${status}`)
      }
    }
    await Promise.all(Array.from({ length: 20 }, worker))
    return passed
  }

  it('asks for a path that is open, so that the others prove something', async () => {
    for (const path of [
      '/two',
      '/admin/open/x',
      '/admin/open/caf%C3%A9',
      '/admin/open/%E6%97%A5%E6%9C%AC',
      '/onex',
      '/on'
    ])
      assert.equal((await client.ask({ ':path': path })).status, 200, path)
  })

  it('cannot reach a protected path by blanks, invisible characters, broken bytes, endings or separators', async t => {
    assert.deepEqual(await reached(OF_ONE), [])
    t.diagnostic(`${OF_ONE.length} variants refused`)
  })

  it('cannot leave an open folder by dots and slashes of any kind', async t => {
    const passed = await reached(OUT_OF_OPEN)
    // What Envoy has resolved before is judged and sent on as it is then: it still is in the open folder.
    assert.deepEqual(passed, [])
    t.diagnostic(`${OUT_OF_OPEN.length} variants refused`)
  })

  it('cannot reach a protected path by characters that are read as its letters', async t => {
    const paths = ['/one', '/kiss'].flatMap(lookalikesOf)
    assert.ok(paths.length > 200, String(paths.length))
    const encoded = paths.map(encodeURI)
    assert.deepEqual(await reached([...encoded, ...encoded.map(path => path.toLowerCase()), ...paths.map(raw)]), [])
    t.diagnostic(`${3 * paths.length} variants refused`)
  })

  it('cannot use any character that may be read as ASCII, or not be seen, without a token', async t => {
    assert.deepEqual(await reached(LOOKALIKES.map(character => `/two/${encodeURIComponent(character)}`)), [])
    const some = LOOKALIKES.filter((_, index) => index % 16 === 0)
    assert.deepEqual(await reached(some.map(character => `/admin/open/${raw(character)}`)), [])
    t.diagnostic(`${LOOKALIKES.length} characters percent-encoded, ${some.length} raw`)
  })

  it('cannot reach a path with letters outside ASCII in another case or normal form', async t => {
    assert.deepEqual(await reached(OF_LETTERS.map(raw)), [])
    t.diagnostic(`${OF_LETTERS.length} variants refused`)
  })

  it('cannot name a protected path in a header', async t => {
    let count = 0
    for (const header of OVERRIDES)
      for (const value of OVERRIDING)
        for (const path of ['/two', '/admin/open/x', '/']) {
          for (const method of ['GET', 'POST', 'OPTIONS']) {
            const { status, seen } = await client.ask({ ':path': path, ':method': method, [header]: value })
            assert.ok(seen === undefined && status === 401, `${method} ${path} ${header}: ${value}: ${status}`)
            count++
          }
          // Nor with the header by which filters learn of it.
          for (const name of PATH_HEADERS) {
            const { status } = await client.ask({ ':path': path, [header]: value, [name]: 'own' })
            assert.equal(status, 401, `${path} ${header} ${name}`)
            count++
          }
        }
    t.diagnostic(`${count} variants refused`)
  })

  it('cannot name one in a header over HTTP/1.1, and is told nothing of it', async () => {
    for (const header of OVERRIDES)
      for (const name of [header, header.toUpperCase()])
        assert.equal((await pod.ask({ target: '/two', headers: [[name, '/one']] })).status, 401, name)
    const { seen } = await pod.ask({ target: '/two', headers: [['x_countersign-path', 'own']] })
    assert.deepEqual(
      Object.keys(seen?.headers ?? {}).filter(name => /countersign/.test(name)),
      []
    )
    assert.ok(seen)
  })

  it('cannot do any of it in HTTP/1.1', async t => {
    const targets = [...OF_ONE, ...OUT_OF_OPEN, ...OF_LETTERS.map(raw)]
    for (const target of targets) {
      const { status, seen } = await pod.ask({ target })
      assert.ok(seen === undefined && [400, 401].includes(status), `${target}: ${status}`)
    }
    t.diagnostic(`${targets.length} variants refused`)
  })

  it('may send such headers where no policy names paths, or no policy holds', async () => {
    const providers = [{ name: 'p', issuer: 'https://issuer.test', keySet: 'keys' }]
    const rules = [{ methods: ['POST'], providers: ['p'], required: true }]
    for (const checks of [{ providers, rules }, undefined]) {
      await pod.apply(checks, { keys: keySet(KEY) })
      const { seen } = await pod.ask({ target: '/two', headers: [['x-original-url', '/one']] })
      assert.equal(seen?.headers['x-original-url'], '/one')
    }
  })
})
