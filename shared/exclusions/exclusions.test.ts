import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EXCLUSIONS, type ExclusionList, type Exclusions, exclusionsOf, NO_EXCLUSIONS, readList } from './index.ts'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
const many = (count: number, entry: (index: number) => string): string => numbers(count).map(entry).join(',')

interface Rows {
  /** Text to entries, as JSON. */
  readonly allowed: Readonly<Record<string, unknown>>
  readonly refused: readonly string[]
}

const NOT_PORTS = ['0', '65536', '-1', '+80', '080', '8e1', '0x50', '80.0', '８０', 'http', '80-90', '80 90', '80;90']
const NO_LIST = ['', ' ', ',', '80,', ',80', '80,,90']

const ROWS: { readonly [Kind in keyof Exclusions]: Rows } = {
  inboundPorts: {
    allowed: {
      '80': [80],
      '1,65535': [1, 65_535],
      '9100, 22 ,22,\n80': [22, 80, 9100],
      [many(64, String)]: numbers(64),
      '15000,15002': [15_000, 15_002]
    },
    refused: [
      ...NOT_PORTS,
      ...NO_LIST,
      many(65, String),
      '15001',
      '15006',
      '15020',
      '80,15021',
      '15090',
      '1'.repeat(400)
    ]
  },
  outboundPorts: {
    allowed: { '443': [443], '15001': [15_001], [many(64, String)]: numbers(64) },
    refused: [...NOT_PORTS, ...NO_LIST, many(65, String)]
  },
  outboundCidrs: {
    allowed: {
      '10.0.0.0/8': [{ family: 'ip', text: '10.0.0.0/8' }],
      '::/0, 0.0.0.0/0': [
        { family: 'ip6', text: '::/0' },
        { family: 'ip', text: '0.0.0.0/0' }
      ],
      'fd00::1/128,fd00::1/128': [{ family: 'ip6', text: 'fd00::1/128' }],
      '::ffff:10.0.0.0/104': [{ family: 'ip6', text: '::ffff:10.0.0.0/104' }],
      [many(64, index => `10.0.${index}.0/24`)]: numbers(64).map(index => ({
        family: 'ip',
        text: `10.0.${index}.0/24`
      }))
    },
    refused: [
      ...NO_LIST,
      ...['10.0.0.0', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/08', '10.0.0.0/-1', '010.0.0.0/8', '256.0.0.0/8', '/8'],
      ...[
        'fd00::/129',
        'fd00:::/8',
        'fe80::1%eth0/64',
        'example.org/8',
        '10.0.0.0/8 accept',
        '10.0.0.0/8; flush ruleset'
      ],
      ...['10.0.0.0/8,*', '10.0.0.0/255.0.0.0', many(65, index => `10.0.${index}.0/24`)]
    ]
  },
  interfaces: {
    allowed: {
      net1: ['net1'],
      'net1, eth0.100,br-1a2b,wl_0': ['net1', 'eth0.100', 'br-1a2b', 'wl_0'],
      'net1,net1': ['net1'],
      lo0: ['lo0'],
      [`n${'x'.repeat(14)}`]: [`n${'x'.repeat(14)}`],
      [many(64, index => `n${index}`)]: numbers(64).map(index => `n${index}`)
    },
    refused: [
      ...['', ' ', ',', 'net1,', ',net1', 'net1,,net2', 'lo', 'net1,lo', '.', '..', 'a'.repeat(16), 'net 1', 'net/1'],
      ...['net:1', 'net*', '*', 'net1@if5', 'n\u00e4t', 'net1" accept', '"net1"', 'net1\\', "'net1'", 'net1}', '$net'],
      many(65, index => `n${index}`)
    ]
  },
  outboundUsers: {
    allowed: {
      '0': [0],
      '1000, 101,1000': [101, 1000],
      '2147483647': [2_147_483_647],
      '1336,1338': [1336, 1338],
      [many(64, String)]: numbers(64)
    },
    refused: [
      ...[
        '',
        ' ',
        ',',
        '0,',
        '1337',
        '1000,1337',
        '-1',
        '01',
        '1e3',
        'root',
        'nobody',
        '0-5',
        '2147483648',
        '4294968633'
      ],
      many(65, String)
    ]
  }
}

for (const [kind, { allowed, refused }] of Object.entries(ROWS)) {
  const list: ExclusionList<unknown> = EXCLUSIONS[kind as keyof Exclusions]
  describe(`the list ${list.name}`, () => {
    for (const [text, entries] of Object.entries(allowed))
      it(`may be ${JSON.stringify(text.slice(0, 60))}`, () => assert.deepEqual(readList(list, text), entries))
    for (const text of refused)
      it(`must not be ${JSON.stringify(text.slice(0, 60))} (${text.length})`, () =>
        assert.equal(readList(list, text), undefined))
    it('is decided about at once, however long it is', () => {
      for (const part of ['1', 'a', '1,', ' ,', 'a.', '1:'])
        assert.equal(readList(list, part.repeat(500_000)), undefined)
    })
  })
}

describe('the exclusions of a pod', () => {
  it('are none where nothing is said, and where something else is', () => {
    assert.deepEqual(exclusionsOf({}), NO_EXCLUSIONS)
    assert.deepEqual(exclusionsOf({ 'countersign.dev/exclude-ports': '80', inboundPorts: '80' }), NO_EXCLUSIONS)
  })

  it('are each of its lists', () => {
    assert.deepEqual(
      exclusionsOf({
        'countersign.dev/exclude-inbound-ports': '9100',
        'countersign.dev/exclude-outbound-ports': '5432',
        'countersign.dev/exclude-outbound-cidrs': '10.0.0.0/8',
        'countersign.dev/exclude-interfaces': 'net1',
        'countersign.dev/exclude-outbound-users': '2000'
      }),
      {
        inboundPorts: [9100],
        outboundPorts: [5432],
        outboundCidrs: [{ family: 'ip', text: '10.0.0.0/8' }],
        interfaces: ['net1'],
        outboundUsers: [2000]
      }
    )
  })

  it('lack a list of which one entry is wrong, and no other', () => {
    const { inboundPorts, outboundPorts } = exclusionsOf({
      'countersign.dev/exclude-inbound-ports': '9100,x',
      'countersign.dev/exclude-outbound-ports': '5432'
    })
    assert.deepEqual([inboundPorts, outboundPorts], [[], [5432]])
  })

  it('hold nothing that could be read as more than an entry of a ruleset, whatever the text', () => {
    const hostile = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-z0-9.:/,"*;{} #@%-]{0,40}$/))
    fc.assert(
      fc.property(hostile, text => {
        const texts = Object.fromEntries(Object.values(EXCLUSIONS).map(({ name }) => [name, text]))
        const { interfaces, outboundCidrs, inboundPorts, outboundPorts, outboundUsers } = exclusionsOf(texts)
        for (const name of interfaces) assert.match(name, /^[A-Za-z0-9._-]{1,15}$/)
        for (const cidr of outboundCidrs) assert.match(cidr.text, /^[0-9a-fA-F.:]+\/[0-9]+$/)
        for (const number of [...inboundPorts, ...outboundPorts, ...outboundUsers])
          assert.ok(Number.isSafeInteger(number))
      }),
      { numRuns: 2_000 }
    )
  })
})
