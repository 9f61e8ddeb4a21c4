import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { narrowPath, UNUSUAL_PATH, UTF8_TARGET, widePath } from './path-patterns.ts'

/** As Envoy matches: the whole path, RE2's `(?i)` in front, and its `\C` for any byte. */
function matches(expression: string, path: string): boolean {
  const [, flags = '', body = ''] = /^(?:\(\?(i)\))?(.*)$/s.exec(expression) ?? []
  return new RegExp(`^(?:${body.replaceAll('\\C', '[^]')})$`, `${flags}u`).test(path)
}

interface Table {
  readonly [pattern: string]: { readonly matched: readonly string[]; readonly not: readonly string[] }
}

const WIDE: Table = {
  '/admin': { matched: ['/admin', '/ADMIN', '/admin/', '/Admin//'], not: ['/', '/admins', '/admin/x', '/x/admin'] },
  '/api/*': { matched: ['/api', '/api/', '/api/v1/x', '/API/v1'], not: ['/apis', '/ap', '/v1/api/'] },
  '/api*': { matched: ['/api', '/apis', '/api/v1'], not: ['/ap', '/x/api'] },
  '*.html': { matched: ['/a.html', '/A.HTML', '/a/b.html/'], not: ['/a.htm', '/ahtml', '/a.html.gz'] },
  '/users/{id}/keys': {
    matched: ['/users/7/keys', '/Users/x%20y/Keys/'],
    not: ['/users/keys', '/users/1/2/keys', '/users//keys']
  },
  '/users/{*}': { matched: ['/users/7'], not: ['/users', '/users/7/8'] },
  '/files/{**}': { matched: ['/files/', '/files/a/b/c'], not: ['/file/a'] },
  '/a.b': { matched: ['/a.b'], not: ['/axb'] },
  '/a+(b)$': { matched: ['/a+(b)$', '/a%2b%28b%29%24', '/a%2B(b)%24'], not: ['/aa(b)', '/ab'] },
  '/user%40x': { matched: ['/user@x', '/user%40x'], not: ['/userx'] },
  '/café': { matched: ['/caf%C3%A9', '/caf%c3%a9', '/CAF%C3%89', '/cafe%CC%81', '/caf%c3%a8'], not: ['/cafe'] },
  '/caf%c3%a9': { matched: ['/caf%C3%A9', '/CAFE%cc%81'], not: ['/caf', '/cafe', '/caf%20'] },
  '/cafe%CC%81/x': { matched: ['/caf%C3%A9/x', '/cafe%CC%81/x'], not: ['/cafe/x'] },
  '/%E6%97%A5%E6%9C%AC/*': { matched: ['/%E6%97%A5%E6%9C%AC', '/%e6%97%a5%e6%9c%ac/x'], not: ['/x'] },
  '/caf%ff': { matched: ['/caf%ff'], not: ['/caf'] },
  '/a b': { matched: ['/a%20b'], not: ['/ab'] },
  '*': { matched: ['/', '*', '/any/thing'], not: [] },
  '/*': { matched: ['/', '/any'], not: [] },
  '/': { matched: ['/', '//'], not: ['/x'] }
}

const NARROW: Table = {
  '/health': { matched: ['/health'], not: ['/Health', '/health/', '/health/x', '/healthz'] },
  '/public/*': { matched: ['/public/', '/public/a/b'], not: ['/public', '/PUBLIC/a', '/publicity'] },
  '*.css': { matched: ['/a.css', '/x/a.css'], not: ['/a.CSS', '/a.css/', '/acss'] },
  '/p/{id}': { matched: ['/p/1'], not: ['/p/', '/p/1/2', '/P/1'] },
  '/p/{**}': { matched: ['/p/', '/p/1/2'], not: ['/p'] },
  '/a%40b': { matched: ['/a%40b'], not: ['/a@b'] },
  '/caf%C3%A9': { matched: ['/caf%C3%A9'], not: ['/café'] }
}

const USUAL = [
  '/',
  '/a',
  '/a/',
  '/a.b',
  '/a/.well-known/x',
  '/a..b',
  '/...',
  '/a%20b',
  '/caf%C3%A9',
  '/%40',
  '/a=b&c',
  '/a:b@c,d',
  '*',
  '/%2B%2b',
  '/a%20b%20c',
  '/%E6%97%A5%E6%9C%AC',
  '/e%CC%81',
  '/~a_b-c'
]
const UNUSUAL = [
  '//',
  '//a',
  '/a//',
  '/a//b',
  '/.',
  '/./a',
  '/a/.',
  '/..',
  '/a/../b',
  '/a/..',
  '/a\\b',
  '/a;x=1',
  '/a;',
  '/%61',
  '/%41dmin',
  '/%2e',
  '/%2E%2e/x',
  '/a%2Fb',
  '/a%2fb',
  '/a%5Cb',
  '/a%5c',
  '/a%3Bx',
  '/%30',
  '/%7e',
  '/%5F',
  '/%2d',
  '/a%00',
  '/a%0d%0a',
  '/%7F',
  '/a%252e',
  '/%25',
  '/%',
  '/a%',
  '/%a',
  '/%zz',
  '/%4',
  '/%2g',
  '/%C0%AE',
  '/%c1%9c',
  '/%E0%80%AF',
  '/%e0%9f%80',
  '/%f0%80%80%af',
  '/a%3fb',
  '/a%3F',
  '/a%23b',
  '/a%20',
  '/a%20/b',
  '/%20a',
  '/a%C2%A0',
  '/ki%c5%bfs',
  '/%E2%84%AAiss',
  '/adm%c4%b1n',
  '/%C4%B0',
  '/%e2%80%a5/x',
  '/%e2%80%a4%e2%80%a4/x',
  '/%E2%88%95x',
  '/%e2%81%84x',
  '/a%e2%80%8bb',
  '/a%EF%BB%BFb',
  '/ſ',
  '/\u212a',
  '/é',
  '/\u0085',
  '/%EF%BC%8F',
  '/%ef%bd%a1'
]

describe('a pattern of paths that are protected', () => {
  for (const [pattern, { matched, not }] of Object.entries(WIDE)) {
    for (const path of matched) it(`${pattern} means ${path}`, () => assert.ok(matches(widePath(pattern), path)))
    for (const path of not) it(`${pattern} does not mean ${path}`, () => assert.ok(!matches(widePath(pattern), path)))
  }
})

describe('a pattern of paths that are left open', () => {
  for (const [pattern, { matched, not }] of Object.entries(NARROW)) {
    for (const path of matched) it(`${pattern} is ${path}`, () => assert.ok(matches(narrowPath(pattern), path)))
    for (const path of not) it(`${pattern} is not ${path}`, () => assert.ok(!matches(narrowPath(pattern), path)))
  }
})

describe('a spelling', () => {
  for (const path of USUAL) it(`is usual: ${path}`, () => assert.ok(!matches(UNUSUAL_PATH, path)))
  for (const path of UNUSUAL) it(`is unusual: ${path}`, () => assert.ok(matches(UNUSUAL_PATH, path)))
})

describe('percent-encoded bytes of a path', () => {
  for (const target of ['/', '/caf%C3%A9?x=%ff', '/%e6%97%a5', '/%F0%9F%98%80', '/x?\u00ff%', '*'])
    it(`are UTF-8: ${target}`, () => assert.ok(matches(UTF8_TARGET, target)))
  for (const target of ['/%ff', '/%c3', '/%c3x', '/%a9', '/%c3%a9%a9?x', '/%e6%97', '/%ed%a0%80', '/%f4%90%80%80'])
    it(`are not UTF-8: ${target}`, () => assert.ok(!matches(UTF8_TARGET, target)))
})

describe('whatever the spelling', () => {
  const segment = fc.stringMatching(/^[a-z0-9.~_@+!-]{1,6}$/).filter(text => !/^\.+$/.test(text))
  const spelled = (path: string, choices: readonly number[]): string =>
    [...path]
      .map((character, index) => {
        const choice = choices[index % choices.length] ?? 0
        if (choice === 1) return character.toUpperCase()
        if (choice === 2) return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
        if (choice === 3 && character === '/') return '//'
        if (choice === 4 && character === '/') return '/./'
        if (choice === 5 && character === '/') return '/;x/'
        return character
      })
      .join('')

  it('a protected path is protected or unusual', () => {
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(6), { minLength: 1, maxLength: 20 }),
        (segments, choices) => {
          const pattern = `/${segments.join('/')}`
          // The first slash stays: without it there is no path.
          const path = `/${spelled(pattern.slice(1), choices)}`
          return matches(widePath(pattern), path) || matches(UNUSUAL_PATH, path)
        }
      )
    )
  })

  it('a path below an open folder leads out of it only in an unusual one', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z./%2eEfF5cC;\\]{0,12}$/), rest => {
        const path = `/public/${rest}`
        if (!matches(narrowPath('/public/*'), path) || matches(UNUSUAL_PATH, path)) return true
        const decoded = path.replace(/%../g, code => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
        return new URL(decoded, 'http://x').pathname.startsWith('/public/')
      })
    )
  })
})
