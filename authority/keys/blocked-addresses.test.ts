import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BlockedAddresses } from './blocked-addresses.ts'

const BLOCKED = [
  '0.0.0.0',
  '0.1.2.3',
  '169.254.169.254',
  '169.254.0.1',
  '100.100.100.200',
  '168.63.129.16',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  'fe80::1',
  'fe80::1%eth0',
  'febf::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  'ff02::1',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '0:0:0:0:0:FFFF:A9FE:A9FE',
  '::ffff:0:169.254.169.254',
  '::169.254.169.254',
  '64:ff9b::169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
  '::ffff:0.0.0.0',
  'no address',
  ''
]

const OPEN = [
  '127.0.0.1',
  '::1',
  '10.0.0.1',
  '192.168.1.1',
  '100.100.100.201',
  '169.253.255.255',
  '8.8.8.8',
  '2001:db8::1',
  'fd00::1',
  'fec0::1',
  '::ffff:10.0.0.1',
  '64:ff9b::8.8.8.8',
  '2002:808:808::1',
  '2001:db8:1:2:3:4:a9fe:a9fe'
]

describe('blocked addresses', () => {
  const standard = new BlockedAddresses()

  for (const address of BLOCKED)
    it(`hold ${address === '' ? 'nothing at all' : address}`, () => assert.equal(standard.has(address), true))

  for (const address of OPEN) it(`do not hold ${address}`, () => assert.equal(standard.has(address), false))

  it('are what an operator says', () => {
    const own = new BlockedAddresses(['127.0.0.0/8', '::1', '10.1.0.0/16'])
    for (const address of ['127.0.0.1', '::1', '10.1.2.3', '::ffff:127.0.0.1']) assert.ok(own.has(address), address)
    for (const address of ['10.2.0.1', '169.254.169.254', '::2']) assert.ok(!own.has(address), address)
    assert.ok(!new BlockedAddresses([]).has('169.254.169.254'))
  })

  for (const entry of [
    '',
    'localhost',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '::1%lo',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    ' 10.0.0.0/8'
  ])
    it(`refuse ${JSON.stringify(entry)}, and name it`, () => {
      assert.throws(
        () => new BlockedAddresses(['10.0.0.0/8', entry]),
        (error: Error & { code?: string }) =>
          error.code === 'ERR_OPTION_INVALID' && error.message.includes(`address ${JSON.stringify(entry)}: expected`)
      )
    })
})
