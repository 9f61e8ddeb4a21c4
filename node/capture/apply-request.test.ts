import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { CountersignError } from '../../shared/errors/index.ts'
import { ApplyRequestSchema } from '../../shared/proto/gen/countersign/node/v1/capture_pb.js'
import { readApplyRequest } from './apply-request.ts'
import { PROXY } from './ruleset.ts'

const POD = '5f3c9f2e-8b1d-4c7a-9e61-0d2b8a6f4c11'
const read = (fields: MessageInitShape<typeof ApplyRequestSchema>) =>
  readApplyRequest(create(ApplyRequestSchema, { podUid: POD, ...fields }))

describe('a request to capture', () => {
  it('names a pod and need exclude nothing', () => {
    assert.deepEqual(read({}), {
      podUid: POD,
      exclusions: { inboundPorts: [], outboundPorts: [], outboundCidrs: [], interfaces: [], outboundUsers: [] }
    })
  })

  it('has its ports in order and each thing once', () => {
    const { exclusions } = read({
      excludedInboundPorts: [9100, 22, 22],
      excludedOutboundPorts: [65_535, 1],
      excludedInterfaces: ['net2', 'net1', 'net2'],
      excludedOutboundUsers: [2000, 0, 2000],
      excludedOutboundCidrs: ['10.0.0.0/8', 'fd00::/8', '10.0.0.0/8', '::/0', '0.0.0.0/0', '::ffff:10.0.0.0/104']
    })
    assert.deepEqual(exclusions.inboundPorts, [22, 9100])
    assert.deepEqual(exclusions.outboundPorts, [1, 65_535])
    assert.deepEqual(exclusions.interfaces, ['net2', 'net1'])
    assert.deepEqual(exclusions.outboundUsers, [0, 2000])
    assert.deepEqual(
      exclusions.outboundCidrs.map(({ family, text }) => `${family} ${text}`),
      ['ip 10.0.0.0/8', 'ip6 fd00::/8', 'ip6 ::/0', 'ip 0.0.0.0/0', 'ip6 ::ffff:10.0.0.0/104']
    )
  })

  const ports = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
  const cidrs = (count: number): string[] => ports(count).map(index => `10.0.${index}.0/24`)

  const names = (count: number): string[] => ports(count).map(index => `net${index}`)

  it('may exclude 64 of each', () => {
    read({
      excludedInboundPorts: ports(64),
      excludedOutboundPorts: ports(64),
      excludedOutboundCidrs: cidrs(64),
      excludedInterfaces: names(64),
      excludedOutboundUsers: ports(64)
    })
  })

  const refused: Record<string, [fields: MessageInitShape<typeof ApplyRequestSchema>, message: RegExp]> = {
    'no pod': [{ podUid: '' }, /pod_uid "": expected the UID/],
    'a pod by its name': [{ podUid: 'orders-0' }, /pod_uid "orders-0"/],
    'a path': [{ podUid: '../../../../../../../../../../../../x' }, /pod_uid/],
    'inbound port 0': [{ excludedInboundPorts: [80, 0] }, /excluded_inbound_ports 0: expected a port from 1 to 65535/],
    'inbound port 65536': [{ excludedInboundPorts: [65_536] }, /excluded_inbound_ports 65536/],
    'outbound port 0': [{ excludedOutboundPorts: [0] }, /excluded_outbound_ports 0/],
    'too many inbound ports': [
      { excludedInboundPorts: ports(65) },
      /excluded_inbound_ports: expected at most 64, got 65/
    ],
    'too many outbound ports': [{ excludedOutboundPorts: ports(65) }, /excluded_outbound_ports: expected at most 64/],
    'too many addresses': [
      { excludedOutboundCidrs: cidrs(65) },
      /excluded_outbound_cidrs: expected at most 64, got 65/
    ],
    'too many interfaces': [{ excludedInterfaces: names(65) }, /excluded_interfaces: expected at most 64, got 65/],
    'too many users': [{ excludedOutboundUsers: ports(65) }, /excluded_outbound_users: expected at most 64, got 65/],
    'the user of the proxy': [
      { excludedOutboundUsers: [0, 1337] },
      /excluded_outbound_users 1337: expected .* other than 1337, which is the proxy$/
    ],
    'a user that no pod can have': [
      { excludedOutboundUsers: [2 ** 31] },
      /excluded_outbound_users 2147483648: expected/
    ]
  }
  for (const [title, [fields, message]] of Object.entries(refused))
    it(`is refused with ${title}`, () => {
      assert.throws(() => read(fields), { code: 'ERR_CAPTURE_REFUSED', message })
    })

  for (const text of [
    '',
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8.',
    '010.0.0.0/8',
    '256.0.0.0/8',
    'fd00::/129',
    'fd00:::/8',
    'fe80::1%eth0/64',
    'example.org/8',
    ' 10.0.0.0/8',
    '10.0.0.0/8\n',
    '10.0.0.0/8 accept',
    '10.0.0.0/8; flush ruleset',
    '0.0.0.0/0 } flush ruleset #/1',
    '/8'
  ])
    it(`is refused with the address ${JSON.stringify(text)}`, () => {
      assert.throws(() => read({ excludedOutboundCidrs: [text] }), {
        code: 'ERR_CAPTURE_REFUSED',
        message: /excluded_outbound_cidrs .*: expected a prefix such as/
      })
    })

  for (const port of [PROXY.outboundPort, PROXY.inboundPort, ...PROXY.openPorts])
    it(`is refused with inbound port ${port}, which the proxy itself needs, and not with the same one outbound`, () => {
      read({ excludedOutboundPorts: [port] })
      assert.throws(() => read({ excludedInboundPorts: [port] }), {
        code: 'ERR_CAPTURE_REFUSED',
        message: new RegExp(
          `excluded_inbound_ports ${port}: expected .* other than .*${port}.*, which the proxy itself needs`
        )
      })
    })

  it('knows the user of the proxy by the number that the rules know it by', () => {
    assert.throws(() => read({ excludedOutboundUsers: [PROXY.uid] }), { code: 'ERR_CAPTURE_REFUSED' })
  })

  for (const name of [
    '',
    'lo',
    '.',
    '..',
    'a'.repeat(16),
    'net 1',
    'net/1',
    'net*',
    'net1"',
    '"net1" accept',
    'n\n',
    'ä'
  ])
    it(`is refused with the interface ${JSON.stringify(name)}`, () => {
      assert.throws(() => read({ excludedInterfaces: [name] }), {
        code: 'ERR_CAPTURE_REFUSED',
        message: /excluded_interfaces ".*": expected the name of an interface/
      })
    })

  it('is told everything that is wrong with it at once', () => {
    const fields = { podUid: 'x', excludedInboundPorts: [0], excludedOutboundCidrs: ['x', 'y'] }
    assert.throws(
      () => read(fields),
      (thrown: CountersignError) => (thrown.facts['problems'] as string[]).length === 4
    )
  })
})
