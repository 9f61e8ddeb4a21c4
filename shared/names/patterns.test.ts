import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DNS_LABEL, DNS_NAME, DNS_SUBDOMAIN, LABEL_KEY, LABEL_VALUE } from './index.ts'

const a = (count: number): string => 'a'.repeat(count)
const subdomain253 = `${a(63)}.${a(63)}.${a(63)}.${a(61)}`

const CASES: Readonly<Record<string, { pattern: RegExp; allowed: readonly string[]; refused: readonly string[] }>> = {
  'a DNS label': {
    pattern: DNS_LABEL,
    allowed: ['a', '0', 'shop', 'a-b', 'a--b', a(63)],
    refused: ['', '-', 'a-', '-a', 'A', 'a.b', 'a_b', 'a b', 'a\n', 'ä', a(64)]
  },
  'a DNS subdomain': {
    pattern: DNS_SUBDOMAIN,
    allowed: ['a', 'node-1', 'a.b', '10.0.0.1', `${a(64)}.b`, subdomain253],
    refused: ['', '.', 'a.', '.a', 'a..b', 'a.-b', 'a-.b', 'A.b', 'a/b', 'a\n', `${subdomain253}a`]
  },
  'a DNS name': {
    pattern: DNS_NAME,
    allowed: ['a', 'cluster.local', 'a-b.c', subdomain253],
    refused: ['', '.', 'a.', 'a..b', 'a-.b', 'A.b', 'a_b', '*.a', `${a(64)}.b`, `${subdomain253}a`]
  },
  'the key of a label': {
    pattern: LABEL_KEY,
    allowed: ['app', 'App_1.x', 'app.kubernetes.io/name', `${subdomain253}/${a(63)}`],
    refused: ['', '/', 'a/', '/a', 'a/b/c', 'a..b/c', 'A/b', '-a', 'a-', 'a b', a(64), `${subdomain253}a/b`, 'a\n']
  },
  'the value of a label': {
    pattern: LABEL_VALUE,
    allowed: ['', 'a', 'A_b.c-d', a(63)],
    refused: ['-', 'a-', '.a', 'a b', 'a/b', 'ä', a(64), 'a\n']
  }
}

for (const [what, { pattern, allowed, refused }] of Object.entries(CASES))
  describe(what, () => {
    for (const text of allowed)
      it(`may be ${JSON.stringify(text.slice(0, 80))} (${text.length})`, () => assert.match(text, pattern))
    for (const text of refused)
      it(`is not ${JSON.stringify(text.slice(0, 80))} (${text.length})`, () => assert.doesNotMatch(text, pattern))
  })

it('patterns decide about hostile texts at once', () => {
  const hostile = `${'a-'.repeat(50_000)}!`
  for (const { pattern } of Object.values(CASES)) assert.doesNotMatch(hostile, pattern)
})
