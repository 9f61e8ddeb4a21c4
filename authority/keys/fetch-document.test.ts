import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { afterEach, before, describe, it } from 'node:test'
import { eventually } from '../../test/eventually.ts'
import { BlockedAddresses, DEFAULT_BLOCKED_ADDRESSES } from './blocked-addresses.ts'
import { documentFetcher, type FetchOptions, type LookupCallback } from './fetch-document.ts'
import { certificateFor, serve } from './provider.test-support.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const never = new AbortController().signal
const here = (name: string, _options: unknown, callback: LookupCallback): void =>
  callback(null, name.endsWith('.test') ? [{ address: '127.0.0.1', family: 4 }] : [])
const fetcher = (options: Partial<FetchOptions> = {}) =>
  documentFetcher({ blockedAddresses: new BlockedAddresses(), lookup: here, ...options })

async function answering(listener: RequestListener, tls?: { key: string; cert: string }) {
  const requests: IncomingMessage[] = []
  const server = await serve((request, response) => {
    requests.push(request)
    listener(request, response)
  }, tls)
  closers.push(() => server.close())
  return { requests, server, port: server.port }
}

const text =
  (body: string | Buffer, headers: Record<string, string> = {}, status = 200) =>
  (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(status, headers).end(body)
  }

describe('fetching a document', () => {
  it('gives what is there, and what it says of its age', async () => {
    const headers = { 'cache-control': 'max-age=60', age: '5', expires: 'never', date: 'Thu, 01 Jan 2026 00:00:00 GMT' }
    const { port, requests, server } = await answering(text('{"ü":1}', headers))
    const url = new URL(`http://idp.test:${port}/keys?a=b`)
    const found = await fetcher()(url, never)
    assert.deepEqual([found.text, found.url.href], ['{"ü":1}', url.href])
    assert.deepEqual(found.cache, { cacheControl: 'max-age=60', age: '5', expires: 'never', date: headers.date })
    const [request] = requests
    assert.equal(request?.url, '/keys?a=b')
    assert.equal(request.headers.host, `idp.test:${port}`)
    assert.equal(request.headers['accept-encoding'], 'identity')
    await eventually(async () => (await server.connections()) === 0, 'the connection is closed')
  })

  for (const status of [201, 204, 206, 300, 304, 401, 403, 404, 418, 500, 503])
    it(`takes status ${status} for no answer`, async () => {
      const { port, server } = await answering(text('', {}, status))
      const message = `http://idp.test:${port}/keys: expected status 200, got ${status}`
      await assert.rejects(fetcher()(new URL(`http://idp.test:${port}/keys?secret`), never), {
        code: 'ERR_KEYS_UNAVAILABLE',
        message
      })
      await eventually(async () => (await server.connections()) === 0, 'the connection is closed')
    })

  it('hears for how long it is asked to wait', async () => {
    const { port } = await answering(text('', { 'retry-after': '30' }, 503))
    await assert.rejects(fetcher()(new URL(`http://idp.test:${port}`), never), { facts: { retryAfterSeconds: 30 } })
  })

  const HUGE = Buffer.alloc((1 << 20) + 1, ' ')
  const WRONG: Readonly<Record<string, readonly [RequestListener, RegExp]>> = {
    'a body that says that it is huge': [
      text(HUGE, { 'content-length': String(HUGE.length) }),
      /at most 1048576 bytes/
    ],
    'a body that never ends': [
      (_request, response) => {
        const more = (): void => {
          if (!response.destroyed) response.write(HUGE.subarray(0, 65_536), more)
        }
        more()
      },
      /at most 1048576 bytes/
    ],
    'a body that is compressed': [text('x', { 'content-encoding': 'gzip' }), /no content encoding/],
    'a body that is not UTF-8': [text(Buffer.from([0x7b, 0xff, 0x7d])), /expected UTF-8/]
  }
  for (const [title, [listener, message]] of Object.entries(WRONG))
    it(`refuses ${title}, and hangs up`, async () => {
      const { port, server } = await answering(listener)
      const fetching = fetcher()(new URL(`http://idp.test:${port}/keys`), never)
      await assert.rejects(fetching, { code: 'ERR_KEYS_INVALID', message })
      await eventually(async () => (await server.connections()) === 0, 'the connection is closed')
    })

  it('takes a body of exactly the most that is allowed', async () => {
    const { port } = await answering(text(HUGE.subarray(1)))
    assert.equal((await fetcher()(new URL(`http://idp.test:${port}`), never)).text.length, 1 << 20)
  })

  for (const [title, listener] of Object.entries<RequestListener>({
    'answer at all': () => {},
    'finish its answer': (_request, response) => void response.writeHead(200).write('{')
  }))
    it(`ends in the middle when told to, with a provider that does not ${title}`, async () => {
      const { port, server, requests } = await answering(listener)
      const end = new AbortController()
      const fetching = fetcher()(new URL(`http://idp.test:${port}`), end.signal)
      const ended = assert.rejects(fetching, /closed/)
      await eventually(() => requests.length === 1, 'the request')
      end.abort(new Error('closed'))
      await ended
      await eventually(async () => (await server.connections()) === 0, 'the connection is closed')
    })

  it('says in words what keeps it from asking, without addresses', async () => {
    const { port, server } = await answering(text(''))
    await server.close()
    const refused = { code: 'ERR_KEYS_UNAVAILABLE', message: `http://idp.test:${port}/: it refuses connections` }
    await assert.rejects(fetcher()(new URL(`http://idp.test:${port}`), never), refused)
    const unknown = { code: 'ERR_KEYS_UNAVAILABLE', message: 'http://nowhere.example/: its name is not known' }
    await assert.rejects(fetcher()(new URL('http://nowhere.example'), never), unknown)
    const { port: silent } = await answering(request => request.socket.destroy())
    await assert.rejects(fetcher()(new URL(`http://idp.test:${silent}`), never), /it closed the connection$/)
  })
})

describe('redirects', () => {
  const leadingTo = (location: string | undefined, status = 302): RequestListener => {
    return (_request, response) => void response.writeHead(status, location === undefined ? {} : { location }).end()
  }

  for (const status of [301, 302, 303, 307, 308])
    it(`with status ${status} are followed`, async () => {
      const { port, requests } = await answering((request, response) =>
        request.url === '/new' ? response.end('{}') : leadingTo('/new', status)(request, response)
      )
      const { url } = await fetcher()(new URL(`http://idp.test:${port}/old`), never)
      assert.equal(url.href, `http://idp.test:${port}/new`)
      assert.deepEqual(
        requests.map(({ url, method }) => `${method} ${url}`),
        ['GET /old', 'GET /new']
      )
    })

  it('are followed three times', async () => {
    const { port, requests } = await answering((request, response) =>
      request.url === '/3' ? response.end('{}') : leadingTo(`/${Number(request.url?.slice(1)) + 1}`)(request, response)
    )
    assert.equal((await fetcher()(new URL(`http://idp.test:${port}/0`), never)).text, '{}')
    assert.equal(requests.length, 4)
  })

  it('are not followed in a circle', async () => {
    const { port, requests } = await answering(leadingTo('/again'))
    await assert.rejects(fetcher()(new URL(`http://idp.test:${port}/again`), never), {
      code: 'ERR_KEYS_UNAVAILABLE',
      message: /more than 3 redirects/
    })
    assert.equal(requests.length, 4)
  })

  const TARGETS: Readonly<Record<string, readonly [string | undefined, string]>> = {
    nowhere: [undefined, 'ERR_KEYS_INVALID'],
    'a file': ['file:///etc/passwd', 'ERR_KEYS_INVALID'],
    'a URL with a password': ['http://a:b@idp.test/', 'ERR_KEYS_INVALID'],
    'a metadata address': ['http://169.254.169.254/latest/meta-data/', 'ERR_KEYS_BLOCKED'],
    'a metadata address as a number': ['http://2852039166/', 'ERR_KEYS_BLOCKED'],
    'a metadata address in octal digits': ['http://0251.0376.0251.0376/', 'ERR_KEYS_BLOCKED'],
    'a metadata address in IPv6': ['http://[::ffff:169.254.169.254]/', 'ERR_KEYS_BLOCKED'],
    'this very host': ['http://0/', 'ERR_KEYS_BLOCKED']
  }
  for (const [title, [location, code]] of Object.entries(TARGETS))
    it(`are not followed to ${title}`, async () => {
      const { port } = await answering(leadingTo(location))
      await assert.rejects(fetcher()(new URL(`http://idp.test:${port}`), never), { code })
    })
})

describe('blocked addresses', () => {
  it('are judged where the connection is made: a name that changes its mind leads nowhere', async () => {
    const { port, requests } = await answering(text('{}'))
    const answers = ['127.0.0.1', '169.254.169.254', '127.0.0.1', '::ffff:169.254.169.254']
    let lookups = 0
    const lookup = (_name: string, _options: unknown, callback: LookupCallback): void => {
      const address = answers[lookups++] ?? ''
      callback(null, [{ address, family: address.includes(':') ? 6 : 4 }])
    }
    const fetch = fetcher({ lookup })
    const url = new URL(`http://rebind.test:${port}`)
    assert.equal((await fetch(url, never)).text, '{}')
    await assert.rejects(fetch(url, never), {
      code: 'ERR_KEYS_BLOCKED',
      message: /its address is one that keys are not/
    })
    assert.equal((await fetch(url, never)).text, '{}')
    await assert.rejects(fetch(url, never), { code: 'ERR_KEYS_BLOCKED' })
    // One look-up for each connection: what was judged is what was connected to.
    assert.deepEqual([lookups, requests.length], [4, 2])
  })

  it('are refused beside others, in whatever order', async () => {
    const { port, requests } = await answering(text('{}'))
    for (const addresses of [
      ['127.0.0.1', '169.254.169.254'],
      ['169.254.169.254', '127.0.0.1'],
      ['127.0.0.1', 'fe80::1%lo']
    ]) {
      const lookup = (_name: string, _options: unknown, callback: LookupCallback): void =>
        callback(
          null,
          addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
        )
      const fetching = fetcher({ lookup })(new URL(`http://both.test:${port}`), never)
      await assert.rejects(fetching, { code: 'ERR_KEYS_BLOCKED' })
    }
    assert.equal(requests.length, 0)
  })

  for (const host of ['127.0.0.1', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]', '[::1]', 'localhost'])
    it(`hold for ${host} as for any other`, async () => {
      const { port, requests } = await answering(text('{}'))
      const blockedAddresses = new BlockedAddresses([...DEFAULT_BLOCKED_ADDRESSES, '127.0.0.0/8', '::1'])
      // With the system's own way of looking names up.
      const fetch = documentFetcher({ blockedAddresses })
      await assert.rejects(fetch(new URL(`http://${host}:${port}`), never), { code: 'ERR_KEYS_BLOCKED' })
      assert.equal(requests.length, 0)
    })
})

describe('TLS', () => {
  let known: Awaited<ReturnType<typeof certificateFor>>
  before(async () => {
    known = await certificateFor('idp.test')
  })

  it('is trusted by the roots that were given beside those of the system', async () => {
    const { port } = await answering(text('{}'), known)
    let ca: string | undefined
    const fetch = fetcher({ ca: () => ca })
    const url = new URL(`https://idp.test:${port}/keys`)
    await assert.rejects(fetch(url, never), {
      code: 'ERR_KEYS_UNAVAILABLE',
      message: /^https:\/\/idp\.test:\d+\/keys: its certificate is not trusted \([A-Z_]+\)$/
    })
    ca = known.ca
    assert.equal((await fetch(url, never)).text, '{}')
  })

  it('is not trusted for another name', async () => {
    const { port, requests } = await answering(text('{}'), known)
    const fetching = fetcher({ ca: () => known.ca })(new URL(`https://other.test:${port}`), never)
    await assert.rejects(fetching, { code: 'ERR_KEYS_UNAVAILABLE', message: /its certificate is for another name$/ })
    assert.equal(requests.length, 0)
  })

  it('is verified whatever the environment says', async () => {
    const { port } = await answering(text('{}'), known)
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    closers.push(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
    await assert.rejects(fetcher()(new URL(`https://idp.test:${port}`), never), /its certificate is not trusted/)
  })

  it('never leads to a place without it', async () => {
    const clear = await answering(text('{}'))
    const { port } = await answering((_request, response) => {
      response.writeHead(302, { location: `http://idp.test:${clear.port}/` }).end()
    }, known)
    const fetching = fetcher({ ca: () => known.ca })(new URL(`https://idp.test:${port}`), never)
    await assert.rejects(fetching, { code: 'ERR_KEYS_INVALID', message: /the redirect: expected https, got http/ })
    assert.equal(clear.requests.length, 0)
  })

  it('fails when the roots cannot be read', async () => {
    const ca = (): string => {
      throw new Error('the file is gone')
    }
    await assert.rejects(fetcher({ ca })(new URL('https://idp.test'), never), { code: 'ERR_KEYS_UNAVAILABLE' })
  })
})
