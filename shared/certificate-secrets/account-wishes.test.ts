import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ACCOUNT_ANNOTATIONS, readWishes, secretNameOf } from './index.ts'

const KEY = 'countersign.dev/certificate-key'
const DNS_NAMES = 'countersign.dev/certificate-dns-names'
const LIFETIME = 'countersign.dev/certificate-lifetime'

describe('what a service account asks of its certificate', () => {
  it('is nothing where it says nothing, or speaks of other things', () => {
    assert.deepEqual(readWishes({}), { wishes: {}, unreadable: [], problems: [] })
    assert.deepEqual(readWishes({ 'countersign.dev/inject': 'x', 'example.com/certificate-key': 'x' }).problems, [])
  })

  it('is all that it says', () => {
    const { wishes, problems } = readWishes({ [KEY]: 'rsa-2048', [DNS_NAMES]: 'services', [LIFETIME]: '1h30m' })
    assert.deepEqual(wishes, { key: 'rsa-2048', dnsNames: 'services', lifetimeMs: 5_400_000 })
    assert.deepEqual(problems, [])
  })

  it('is known by as many annotations as are described', () => {
    assert.deepEqual([...ACCOUNT_ANNOTATIONS.keys()], [KEY, DNS_NAMES, LIFETIME])
  })

  const wrong: Readonly<Record<string, readonly [string, string, string]>> = {
    'another kind of key': [KEY, 'rsa-4096', 'expected one of ecdsa-p256, rsa-2048, got "rsa-4096"'],
    'a key in capitals': [KEY, 'RSA-2048', 'expected one of ecdsa-p256, rsa-2048, got "RSA-2048"'],
    'no key': [KEY, '', 'expected one of ecdsa-p256, rsa-2048, got ""'],
    'names of its own': [DNS_NAMES, 'db.example.com', 'expected one of none, services, got "db.example.com"'],
    'a number without a unit': [
      LIFETIME,
      '24',
      'expected a duration such as 30m, 24h or 7d; the limits of the authority hold, got "24"'
    ],
    'no time at all': [
      LIFETIME,
      '0s',
      'expected a duration such as 30m, 24h or 7d; the limits of the authority hold, got "0s"'
    ],
    'more than anybody reads': [KEY, 'x'.repeat(1_000), `expected one of ecdsa-p256, rsa-2048, got "${'x'.repeat(79)}…`]
  }
  for (const [what, [annotation, text, message]] of Object.entries(wrong))
    it(`cannot be read: ${what}`, () => {
      const { wishes, unreadable, problems } = readWishes({ [annotation]: text })
      assert.deepEqual([wishes, unreadable.length], [{}, 1])
      assert.deepEqual(problems, [{ annotation, message }])
    })

  it('is read as far as it can be', () => {
    const { wishes, unreadable } = readWishes({ [KEY]: 'rsa', [LIFETIME]: '2h' })
    assert.deepEqual([wishes, unreadable], [{ lifetimeMs: 7_200_000 }, ['key']])
  })

  it('has a name that is nearly right', () => {
    const { unreadable, problems } = readWishes({ 'countersign.dev/certificate-keys': 'rsa-2048' })
    assert.deepEqual(unreadable, [])
    assert.match(problems[0]?.message ?? '', /^unknown.*did you mean.*certificate-key\b.*; known are certificate-key, /)
  })
})

describe('the name of its Secret', () => {
  it('has a prefix', () => assert.equal(secretNameOf('orders'), 'countersign.orders'))

  it('is none where that would be too long', () => {
    assert.equal(secretNameOf('x'.repeat(241))?.length, 253)
    assert.equal(secretNameOf('x'.repeat(242)), undefined)
  })
})
