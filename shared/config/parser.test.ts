import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe, it } from 'node:test'
import {
  address,
  boolean,
  duration,
  existing,
  formatAddress,
  integer,
  list,
  listenAddress,
  oneOf,
  type Parser,
  path,
  port,
  text,
  trustDomain
} from './index.ts'

interface Case {
  readonly parser: Parser<unknown>
  readonly accepts: readonly (readonly [string, unknown])[]
  readonly refuses: readonly string[]
}

const PARSERS: Readonly<Record<string, Case>> = {
  'an address to connect to': {
    parser: address,
    accepts: [
      ['authority.countersign-system.svc:15012', { host: 'authority.countersign-system.svc', port: 15012 }],
      ['10.0.0.1:1', { host: '10.0.0.1', port: 1 }],
      ['[::1]:65535', { host: '::1', port: 65535 }]
    ],
    refuses: [
      '',
      'host',
      'host:',
      ':9443',
      'host:0',
      'host:65536',
      'host:0x10',
      'host:080',
      '::1:80',
      '[::1]',
      '[host]:80',
      'a b:80',
      'http://host:80',
      '-a:80',
      'host:80 '
    ]
  },
  'an address to listen on': {
    parser: listenAddress,
    accepts: [
      ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
      ['[::]:9443', { host: '::', port: 9443 }]
    ],
    refuses: ['0.0.0.0', '*:80', ':80', '0.0.0.0:-1', '0.0.0.0:70000']
  },
  'a port': {
    parser: port(),
    accepts: [
      ['1', 1],
      ['65535', 65535]
    ],
    refuses: ['', '0', '65536', '-1', '1.5', '1e3', '0x1', ' 1']
  },
  'a duration': {
    parser: duration(),
    accepts: [
      ['0s', 0],
      ['500ms', 500],
      ['30s', 30_000],
      ['1h30m', 5_400_000],
      ['1.5h', 5_400_000],
      ['7d', 604_800_000]
    ],
    refuses: ['', '30', 's', '-1s', '1 s', '1w', '1S', '1s2', '.5s', '1.s', '1e3s']
  },
  'a duration in a range': {
    parser: duration('1s', '1h'),
    accepts: [
      ['1s', 1_000],
      ['60m', 3_600_000]
    ],
    refuses: ['999ms', '61m', '0s']
  },
  'a whole number': {
    parser: integer(-2, 10),
    accepts: [
      ['-2', -2],
      ['0', 0],
      ['10', 10]
    ],
    refuses: ['', '-3', '11', '1.0', '01', '+1', '1e0', 'one', '0x1', '9999999999999999999']
  },
  'a word of a list': {
    parser: oneOf(['a', 'b']),
    accepts: [
      ['a', 'a'],
      ['b', 'b']
    ],
    refuses: ['', 'A', 'ab', 'constructor']
  },
  'true or false': {
    parser: boolean,
    accepts: [
      ['true', true],
      ['false', false]
    ],
    refuses: ['', '1', 'yes', 'TRUE', 'toString']
  },
  'some text': {
    parser: text('name'),
    accepts: [
      ['x', 'x'],
      ['two\nlines', 'two\nlines']
    ],
    refuses: ['']
  },
  'text of a pattern': {
    parser: text('name', 'digits', /^[0-9]+$/),
    accepts: [['12', '12']],
    refuses: ['', 'x', '1x']
  },
  'a path': {
    parser: path,
    accepts: [
      ['/a/../b', '/b'],
      ['x', resolve('x')]
    ],
    refuses: ['', 'a\0b']
  },
  'a trust domain': {
    parser: trustDomain,
    accepts: [['cluster.local', 'cluster.local']],
    refuses: ['', 'spiffe://cluster.local', 'Cluster.local', 'a/b', 'a b']
  },
  'a list': {
    parser: list(integer(0, 9)),
    accepts: [
      ['', []],
      ['1', [1]],
      ['1, 2 ,3', [1, 2, 3]]
    ],
    refuses: ['1,', ',1', '1,,2', '1;2', '1,10', '1,x']
  }
}

for (const [what, { parser, accepts, refuses }] of Object.entries(PARSERS))
  describe(`the parser of ${what}`, () => {
    for (const [written, value] of accepts)
      it(`reads ${JSON.stringify(written)}`, () => assert.deepEqual(parser.parse(written), value))
    for (const written of refuses)
      it(`refuses ${JSON.stringify(written)}`, () => assert.equal(parser.parse(written), undefined))
  })

describe('the parser of an existing path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-config-'))
  const file = join(folder, 'file')
  writeFileSync(file, '')
  after(() => rmSync(folder, { recursive: true }))

  it('tells files and directories apart', () => {
    assert.equal(existing('file').parse(file), file)
    assert.equal(existing('directory').parse(folder), folder)
    assert.equal(existing('file').parse(folder), undefined)
    assert.equal(existing('directory').parse(file), undefined)
  })

  it('refuses what is not there, and nothing at all', () => {
    for (const written of [join(folder, 'none'), join(file, 'below-a-file'), ''])
      assert.equal(existing('file').parse(written), undefined)
  })
})

describe('an address that was read can be written again', () => {
  for (const written of ['[::1]:80', '10.0.0.1:80', 'host:80'])
    it(written, () => assert.equal(formatAddress(address.parse(written) ?? { host: '', port: 0 }), written))
})

it('a range of durations that is none is the fault of the caller', () => {
  assert.throws(() => duration('1', '2s'), TypeError)
})
