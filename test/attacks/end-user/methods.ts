// A hostile end user calls a protected method under another name.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Http2Client, type Http2Headers } from '../../envoy/tokens/http2-client.ts'
import { startTokenPod, type TokenPod } from '../../envoy/tokens/token-pod.ts'
import { keySet, newSigningKey } from '../../oidc/index.ts'

/** Every spelling of a word in small and capital letters. */
const inAnyCase = (word: string): readonly string[] =>
  [...word].reduce<readonly string[]>(
    (spellings, letter) =>
      spellings.flatMap(text => [`${text}${letter.toUpperCase()}`, `${text}${letter.toLowerCase()}`]),
    ['']
  )

const UNREGISTERED = [
  'FOO',
  'PURGE',
  'QUERY',
  'BREW',
  'DEL',
  'POSTS',
  'XPOST',
  'P0ST',
  'POST-',
  'POST_',
  '-',
  'GET.',
  'G'
]
const REGISTERED = ['GET', 'HEAD', 'PUT', 'PATCH', 'OPTIONS', 'PROPFIND', 'VERSION-CONTROL', 'REPORT', 'TRACE']
const WORDS = ['x-http-method-override', 'x-http-method', 'x-method-override']
const OVERRIDES = WORDS.flatMap(name =>
  name
    .split('-')
    .reduce<readonly string[]>(
      (texts, part) => (texts.length === 0 ? [part] : texts.flatMap(text => [`${text}-${part}`, `${text}_${part}`])),
      []
    )
)
const QUERIES = [
  '_method=DELETE',
  'a=1&_method=delete',
  '_method',
  '_method[]=DELETE',
  '%5Fmethod=DELETE',
  '_%6d%65thod=POST'
].concat(['a=b;_method=DELETE', '_METHOD=DELETE', '?_method=DELETE', '&&_method=&', '%5f%6d%65%74%68%6f%64=POST'])
/** Names that PHP may read as `_method`: it takes blanks, dots and brackets for underscores. */
const QUERIES_OF_PHP = [
  ...[
    '.method=DELETE',
    '.Method=DELETE',
    '[method=DELETE',
    '+method=DELETE',
    'a=1&.%6dethod=DELETE',
    '.method[]=DELETE'
  ],
  ...['%5Bmethod=DELETE', '%5bmethod=DELETE', '%2Emethod=DELETE', '%2emethod=DELETE', '%20%2emethod=DELETE'],
  ...['%20method=DELETE', '++.method=DELETE', '%2bmethod=DELETE', '.%4d%45%54%48%4F%44=DELETE', '.method%00x=DELETE'],
  ...['_%4Dethod=DELETE', 'a=[]&[method', '[.method=DELETE', '%5bm%45thod']
]
/** Bytes that are not UTF-8, which `.` of an expression does not match. */
const QUERIES_WITH_BYTES = ['\xff&_method=DELETE', 'a=\xc3\x28&.method=DELETE', '\xe2\x82&%5fmethod=DELETE']

describe('a hostile end user', () => {
  let pod: TokenPod
  let client: Http2Client
  before(async () => {
    pod = await startTokenPod('127.84.42')
    client = new Http2Client(pod)
    await pod.apply(
      {
        providers: [{ name: 'p', issuer: 'https://issuer.test', keySet: 'keys' }],
        rules: [{ includePaths: ['/one'], methods: ['POST', 'DELETE'], providers: ['p'], required: true }]
      },
      { keys: keySet(newSigningKey('ES256')) }
    )
  })
  after(async () => {
    client?.close()
    await pod?.stop()
  })

  const isRefused = async (headers: Http2Headers): Promise<void> => {
    const { status, seen } = await client.ask({ ':path': '/one', ...headers })
    assert.equal(seen, undefined, JSON.stringify(headers))
    assert.ok([400, 401].includes(status), `${JSON.stringify(headers)}: ${status}`)
  }

  it('uses methods that are open, so that the others prove something', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'OPTIONS', 'PROPFIND'])
      assert.equal((await client.ask({ ':path': '/one', ':method': method })).seen?.method, method)
    for (const method of ['POST', 'post', 'FOO'])
      assert.equal((await client.ask({ ':path': '/two', ':method': method })).seen?.method, method)
  })

  it('cannot call a protected method in any case over HTTP/2', async t => {
    const methods = ['POST', 'DELETE'].flatMap(inAnyCase)
    for (const method of methods) await isRefused({ ':method': method })
    t.diagnostic(`${methods.length} variants refused`)
  })

  it('cannot call a method that is not registered, or one that is not written as it is registered', async t => {
    const methods = [...UNREGISTERED, ...REGISTERED.map(method => method.toLowerCase()), 'Get', 'gEt', 'Put']
    for (const method of methods) await isRefused({ ':method': method })
    t.diagnostic(`${methods.length} variants refused`)
  })

  it('cannot ask for another method by a header', async t => {
    let count = 0
    for (const name of OVERRIDES)
      for (const method of REGISTERED)
        for (const value of ['DELETE', 'delete', 'GET', '', 'x']) {
          await isRefused({ ':method': method, [name]: value })
          count++
        }
    t.diagnostic(`${count} variants refused`)
  })

  it('cannot ask for another method in the query', async t => {
    for (const query of QUERIES)
      for (const method of REGISTERED) await isRefused({ ':method': method, ':path': `/one?${query}` })
    t.diagnostic(`${QUERIES.length * REGISTERED.length} variants refused`)
  })

  it('cannot ask for another method in a query that PHP reads, or behind bytes that are not UTF-8', async t => {
    const queries = [...QUERIES_OF_PHP, ...QUERIES_WITH_BYTES]
    for (const query of queries)
      for (const method of REGISTERED) await isRefused({ ':method': method, ':path': `/one?${query}` })
    for (const query of ['method=x', 'a.b=method', 'x-method=1', 'amethod=1', 'a=%6dethod'])
      assert.equal((await client.ask({ ':path': `/one?${query}` })).status, 200, query)
    t.diagnostic(`${queries.length * REGISTERED.length} variants refused`)
  })

  it('cannot pass as a browser that asks before it sends, with another method', async t => {
    const preflight = { ':method': 'OPTIONS', origin: 'https://app.test', 'access-control-request-method': 'DELETE' }
    assert.equal((await client.ask({ ':path': '/one', ...preflight })).status, 200)
    for (const name of OVERRIDES) await isRefused({ ...preflight, [name]: 'DELETE' })
    for (const query of [...QUERIES, ...QUERIES_OF_PHP]) await isRefused({ ...preflight, ':path': `/one?${query}` })
    for (const method of ['options', 'POST', 'DELETE', 'delete']) await isRefused({ ...preflight, ':method': method })
    t.diagnostic(`${OVERRIDES.length + QUERIES.length + QUERIES_OF_PHP.length + 4} variants refused`)
  })

  it('cannot say the method, or the port, to the filters', async t => {
    const names = ['x-countersign-method', 'x_countersign_method', 'x-countersign-port', 'x_countersign-port']
    for (const name of names)
      for (const value of ['GET', 'PUT', '80', '']) {
        await isRefused({ ':method': 'DELETE', [name]: value })
        await isRefused({ ':method': 'post', [name]: [value, value] })
      }
    t.diagnostic(`${names.length * 8} variants refused`)
  })
})
