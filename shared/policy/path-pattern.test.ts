import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { matchesEveryPath, pathPatternProblem } from './path-pattern.ts'

const ALLOWED = [
  '/',
  '/x',
  '/x/',
  '/x/*',
  '/x*',
  '/*',
  '*',
  '*.html',
  '*/x',
  '/a/{id}/b',
  '/a/{*}',
  '/a/{**}',
  '/{**}',
  '/{tenant}/{*}/x/{**}',
  '/.well-known/*',
  '/...',
  '/a..b',
  '/v1/things:cancel',
  '/a@b,c=d&e+f!g$h(i)',
  '/caf%C3%A9',
  '/a%20b',
  '/%E6%97%A5%E6%9C%AC/*',
  '*/caf%c3%a9',
  '/%40'
]

const REFUSED: Readonly<Record<string, readonly [RegExp, ...string[]]>> = {
  'starts with neither / nor *': [/to start with \/ or \*/, '', 'x', 'https://x/', '{id}', ' /x', '.html'],
  'has a query or a fragment': [/no query and no fragment/, '/x?a=b', '/x#y', '/x?'],
  'has what no path has': [/percent-encoded/, '/a b', '/é', '/a\n', '/a\0', '/a"b', '/a|b'],
  'has half a percent-encoding': [/two hexadecimal digits/, '/%', '/%4', '/%zz', '/100%'],
  'has an empty segment': [/could never match: paths with \/\/ /, '//', '/a//b', '*//x'],
  'has a dot segment': [
    /could never match: paths with a segment \. or \.\./,
    '/.',
    '/..',
    '/a/../b',
    '/a/./b',
    '/a/..'
  ],
  'has a backslash': [/could never match: paths with a backslash/, '/a\\b', '*\\x'],
  'has a semicolon': [/could never match: paths with a semicolon/, '/a;v=1'],
  'has an encoding of what needs none': [
    /write the character itself/,
    '/%61',
    '/%2e%2e/',
    '/%7E',
    '/%30',
    '/%5f',
    '/%2D'
  ],
  'has an encoded separator': [
    /encoded separator or percent sign/,
    '/a%2Fb',
    '/a%5cb',
    '/a%3bb',
    '/a%252e',
    '/a%3fb',
    '/a%23'
  ],
  'has an encoded blank at an edge': [/blank at the beginning or end/, '/a%20', '/a%20/b', '/%20a', '/a/%20*', '*%20'],
  'has what may be read as ASCII': [
    /may be read as ASCII/,
    '/ki%c5%bfs',
    '/%E2%84%AA',
    '/%e2%80%a5/x',
    '/%c2%a0*',
    '/a%e2%80%8b'
  ],
  'has bytes that are not UTF-8': [/bytes that are not UTF-8/, '/%ff', '/%c3', '/%c3/%a9', '*%a9', '/%ed%a0%80'],
  'has an encoded control': [/control character/, '/a%00', '/a%0d%0a', '/a%7f'],
  'has overlong UTF-8': [/UTF-8 that is longer/, '/%c0%af', '/%E0%80%AF', '/%f0%80%80%af'],
  'has a wide form': [/wide or presentation form/, '/%ef%bc%8f'],
  'has a * in the middle': [/one \* at the very beginning or end/, '/a/*/b', '/a*b', '*a*', '**', '/x/**'],
  'mixes * and templates': [/as a whole segment/, '/{id}/*', '*/{id}', '/a/*{id}'],
  'has a template that is no segment': [
    /as a whole segment/,
    '/a{id}',
    '/{id}b',
    '/{',
    '/}',
    '/{}',
    '/{a-b}',
    '/{***}'
  ],
  'goes on behind {**}': [/\{\*\*\} at the end only/, '/{**}/a', '/a/{**}/'],
  'is as long as a page': [/at most 512 characters, got 601/, `/${'x'.repeat(600)}`]
}

describe('a path pattern', () => {
  for (const pattern of ALLOWED) it(`may be ${pattern}`, () => assert.equal(pathPatternProblem(pattern), undefined))

  for (const [what, [reason, ...patterns]] of Object.entries(REFUSED))
    for (const pattern of patterns)
      it(`is refused when it ${what}: ${JSON.stringify(pattern.slice(0, 20))}`, () =>
        assert.match(pathPatternProblem(pattern) ?? 'nothing is wrong', reason))

  it('is known for matching everything', () => {
    assert.deepEqual(ALLOWED.filter(matchesEveryPath), ['/*', '*', '/{**}'])
  })
})
