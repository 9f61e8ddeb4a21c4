import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SECRET_TYPE } from '../../shared/certificate-secrets/index.ts'
import { BACKDATED_MS } from '../issuance/index.ts'
import { judge, type Subject } from './judge.ts'
import { rootDigest, rootsDigest } from './roots-digest.ts'
import {
  account,
  DAY,
  HOUR,
  limits,
  NOW,
  rootUntil,
  SECOND,
  surroundings,
  trustDomain,
  trusting
} from './secrets.test-support.ts'
import type { Content, Judgement, PresentSecret, RunService } from './types.ts'

const KEY = 'countersign.dev/certificate-key'
const DNS_NAMES = 'countersign.dev/certificate-dns-names'
const LIFETIME = 'countersign.dev/certificate-lifetime'

const root = await rootUntil(NOW + 1_000 * DAY)
const next = await rootUntil(NOW + 2_000 * DAY, 'next')
const ending = await rootUntil(NOW + DAY)
const expired = await rootUntil(NOW - SECOND)
const trust = trusting(root)

const rightContent: Content = {
  spiffeId: 'spiffe://cluster.local/ns/shop/sa/orders',
  dnsNames: [],
  key: 'ecdsa-p256',
  serialNumber: '4a5b',
  notBefore: NOW - BACKDATED_MS,
  notAfter: NOW + DAY,
  roots: rootsDigest(trust.bundle),
  anchors: [rootDigest(root.certificate)]
}

const rightSecret: PresentSecret = {
  namespace: 'shop',
  name: 'countersign.orders',
  uid: 'uid-of-secret',
  resourceVersion: '7',
  type: SECRET_TYPE,
  immutable: false,
  owners: ['uid-of-orders'],
  content: rightContent
}

const right: Subject = { account: account(), secret: rightSecret, services: [], trust, now: NOW }
const DUE = NOW + 0.56 * DAY

const withContent = (change: Partial<Content>, more: Partial<PresentSecret> = {}): PresentSecret => ({
  ...rightSecret,
  ...more,
  content: { ...rightContent, ...change }
})
const damaged: PresentSecret = { ...rightSecret, content: { problem: 'key.pem is missing' } }
const under = (issuer: typeof root): Partial<Content> => ({
  roots: rootsDigest(trusting(issuer).bundle),
  anchors: [rootDigest(issuer.certificate)]
})

const judged = (change: Partial<Subject>): Judgement => judge({ ...right, ...change }, surroundings)
const outcome = (change: Partial<Subject>): string => {
  const found = judged(change)
  return found.kind === 'write' ? `write: ${found.reason}` : found.kind
}
const reasons = ({ notes }: Judgement): string[] => notes.map(({ reason }) => reason)
function wantedOf(change: Partial<Subject>) {
  const found = judged(change)
  if (found.kind !== 'write') assert.fail(`it is ${found.kind}`)
  return found.wanted
}

const db: RunService = { namespace: 'shop', name: 'db', headless: false, accounts: ['shop/orders'] }
const idle: RunService = { ...db, accounts: [] }
const DB_NAMES = ['db.shop', 'db.shop.svc', 'db.shop.svc.cluster.local']

describe('judging an account', () => {
  const outcomes: Readonly<Record<string, readonly [string, Partial<Subject>]>> = {
    'whose Secret is right': ['right', {}],
    'that runs a Service and does not ask for its names': ['right', { services: [db] }],
    'without a Secret': ['write: missing', { secret: undefined }],
    'whose Secret is damaged': ['write: damaged', { secret: damaged }],
    'whose Secret is that of another account': [
      'write: identity',
      { secret: withContent({ spiffeId: 'spiffe://cluster.local/ns/shop/sa/other' }) }
    ],
    'whose Secret is of another trust domain': [
      'write: identity',
      { secret: withContent({ spiffeId: 'spiffe://elsewhere/ns/shop/sa/orders' }) }
    ],
    'when another root is trusted as well': ['write: roots', { trust: trusting(root, root, next) }],
    'when a root is trusted no longer': ['write: roots', { secret: withContent({ roots: 'more' }) }],
    'that asks for another key': ['write: key', { account: account({ [KEY]: 'rsa-2048' }) }],
    'that no longer asks for another key': ['write: key', { secret: withContent({ key: 'rsa-2048' }) }],
    'that asks for the names of its Services': [
      'write: dns-names',
      { account: account({ [DNS_NAMES]: 'services' }), services: [db] }
    ],
    'that no longer asks for them': ['write: dns-names', { secret: withContent({ dnsNames: DB_NAMES }) }],
    'whose names belong to another account by now': [
      'write: dns-names',
      {
        account: account({ [DNS_NAMES]: 'services' }),
        services: [{ ...db, accounts: ['shop/other'] }],
        secret: withContent({ dnsNames: DB_NAMES })
      }
    ],
    'whose Service is gone': [
      'write: dns-names',
      { account: account({ [DNS_NAMES]: 'services' }), secret: withContent({ dnsNames: DB_NAMES }) }
    ],
    'whose Service nobody runs at the moment': [
      'right',
      {
        account: account({ [DNS_NAMES]: 'services' }),
        services: [idle],
        secret: withContent({ dnsNames: DB_NAMES })
      }
    ],
    'that asks for a shorter life': ['write: lifetime', { account: account({ [LIFETIME]: '1h' }) }],
    'that asks for a life that is hardly shorter': ['right', { account: account({ [LIFETIME]: '23h' }) }],
    'that asks for a longer life': ['right', { account: account({ [LIFETIME]: '7d' }) }],
    'whose certificate is due': ['write: renewal', { now: DUE }],
    'whose certificate has expired': ['write: renewal', { now: NOW + DAY }],
    'whose certificate has not begun': ['write: renewal', { now: NOW - HOUR }],
    'whose Secret nobody owns': ['write: owner', { secret: withContent({}, { owners: [] }) }],
    'whose Secret belongs to an account of that name that is gone': [
      'write: owner',
      { secret: withContent({}, { owners: ['uid-of-another'] }) }
    ],
    'whose Secret belongs to another account as well': [
      'write: owner',
      { secret: withContent({}, { owners: ['uid-of-orders', 'uid-of-another'] }) }
    ],
    'whose Secret is damaged and owned by nobody': ['write: damaged', { secret: { ...damaged, owners: [] } }],
    'whose Secret is right and immutable': ['right', { secret: withContent({}, { immutable: true }) }],
    'whose Secret is immutable and owned by nobody': [
      'write: owner',
      { secret: withContent({}, { immutable: true, owners: [] }) }
    ]
  }
  for (const [what, [expected, change]] of Object.entries(outcomes))
    it(`one ${what}: ${expected}`, () => {
      assert.equal(outcome(change), expected)
      assert.deepEqual(judged(change).notes, [])
    })

  const left: Readonly<Record<string, readonly [string, RegExp, Partial<Subject>]>> = {
    'whose name has no room': [
      'NameTooLong',
      /at most 241 characters/,
      { account: account({}, 'x'.repeat(242)), secret: undefined }
    ],
    'whose Secret is somebody else’s': [
      'SecretNotOurs',
      /^Secret countersign\.orders is somebody else's, of type "Opaque"/,
      { secret: { ...damaged, type: 'Opaque' } }
    ],
    'whose immutable Secret is damaged': [
      'SecretImmutable',
      /once deleted, it is made anew$/,
      { secret: { ...damaged, immutable: true } }
    ],
    'whose immutable Secret is due': [
      'SecretImmutable',
      /marked as immutable/,
      { secret: withContent({}, { immutable: true }), now: DUE }
    ],
    'without a Secret, and nothing can be signed': [
      'IssuerUnusable',
      /too soon to sign with it$/,
      { secret: undefined, trust: trusting(expired) }
    ],
    'whose certificate has expired, and nothing can be signed': [
      'IssuerUnusable',
      /ends at .*: too soon/,
      { secret: withContent(under(expired)), trust: trusting(expired), now: NOW + DAY }
    ],
    'whose roots are old, and nothing can be signed': [
      'IssuerUnusable',
      /too soon/,
      { trust: trusting(expired, next) }
    ],
    'whose issuer has not begun': ['IssuerUnusable', /is not valid before/, { secret: undefined, now: NOW - 2 * HOUR }],
    'without a Secret whose key cannot be read': [
      'AnnotationUnreadable',
      /certificate-key: expected one of .*got "rsa"; until it can be read, no certificate is made$/,
      { secret: undefined, account: account({ [KEY]: 'rsa' }) }
    ],
    'whose Secret is damaged, and whose lifetime cannot be read': [
      'AnnotationUnreadable',
      /no certificate is made$/,
      { secret: damaged, account: account({ [LIFETIME]: 'long' }) }
    ],
    'whose Secret is that of another, and whose names cannot be read': [
      'AnnotationUnreadable',
      /no certificate is made$/,
      {
        secret: withContent({ spiffeId: 'spiffe://cluster.local/ns/shop/sa/other', dnsNames: DB_NAMES }),
        account: account({ [DNS_NAMES]: 'all' })
      }
    ]
  }
  for (const [what, [reason, message, change]] of Object.entries(left))
    it(`one ${what} is left as it is: ${reason}`, () => {
      const found = judged(change)
      assert.equal(found.kind, 'leave')
      assert.deepEqual(reasons(found), [reason])
      assert.match(found.notes[0]?.message ?? '', message)
    })

  it('what is left is looked at again when the issuer begins, or the certificate ends', () => {
    const at = (change: Partial<Subject>): number => {
      const found = judged(change)
      return found.kind === 'leave' ? found.lookAgainAt : Number.NaN
    }
    assert.equal(at({ secret: undefined, now: NOW - 2 * HOUR }), NOW - HOUR)
    assert.equal(at({ secret: withContent({}, { immutable: true }), now: DUE }), NOW + DAY)
    assert.equal(at({ secret: undefined, trust: trusting(expired) }), Number.POSITIVE_INFINITY)
  })

  it('an owner is put right even where nothing can be signed, which is told all the same', () => {
    const found = judged({ secret: { ...damaged, owners: [] }, trust: trusting(expired) })
    assert.deepEqual([found.kind, reasons(found)], ['write', ['IssuerUnusable']])
    assert.equal(found.kind === 'write' && found.reason, 'owner')
  })
})

describe('what a new certificate shall say', () => {
  const missing = { secret: undefined }

  it('is what the account asks for', () => {
    const asking = account({ [KEY]: 'rsa-2048', [DNS_NAMES]: 'services', [LIFETIME]: '7d' })
    const { spiffeId, ...rest } = wantedOf({ ...missing, account: asking, services: [db] })
    assert.equal(spiffeId.toString(), rightContent.spiffeId)
    assert.deepEqual(rest, { key: 'rsa-2048', dnsNames: DB_NAMES, lifetimeMs: 7 * DAY })
  })

  it('is P-256, no names and the standard life where it asks nothing', () => {
    const { spiffeId, ...rest } = wantedOf({ ...missing, services: [db] })
    assert.equal(spiffeId.toString(), rightContent.spiffeId)
    assert.deepEqual(rest, { key: 'ecdsa-p256', dnsNames: [], lifetimeMs: DAY })
  })

  const clamped: Readonly<Record<string, readonly [number, RegExp]>> = {
    '5m': [limits.shortestMs, /asks for 5m: the shortest that the authority allows is 10m, which holds$/],
    '91d': [
      limits.longestMs,
      /^countersign\.dev\/certificate-lifetime asks for 91d: the longest .* is 90d, which holds$/
    ],
    '999999999d': [limits.longestMs, /the longest/],
    '1ms': [limits.shortestMs, /the shortest/]
  }
  for (const [text, [lifetimeMs, message]] of Object.entries(clamped))
    it(`a life of ${text} is clamped, and that is told`, () => {
      const subject = { ...missing, account: account({ [LIFETIME]: text }) }
      assert.equal(wantedOf(subject).lifetimeMs, lifetimeMs)
      const { notes } = judged(subject)
      assert.deepEqual(reasons({ notes } as Judgement), ['LifetimeClamped'])
      assert.match(notes[0]?.message ?? '', message)
    })

  it('a life that is clamped is told for as long as it is asked for', () => {
    const found = judged({ account: account({ [LIFETIME]: '91d' }) })
    assert.deepEqual([found.kind, reasons(found)], ['right', ['LifetimeClamped']])
  })

  it('more names than there is room for are told', () => {
    const services = Array.from({ length: 34 }, (_, index) => ({ ...db, name: `s${index}` }))
    const found = judged({ ...missing, account: account({ [DNS_NAMES]: 'services' }), services })
    assert.deepEqual(reasons(found), ['TooManyDnsNames'])
    assert.match(found.notes[0]?.message ?? '', /first 100 DNS names of its Services: 2 more find no room/)
  })

  it('the end of the issuer is told of a certificate to come, and of one that is there', () => {
    const short = trusting(ending)
    const coming = judged({ ...missing, trust: short, now: NOW + HOUR })
    assert.deepEqual([coming.kind, reasons(coming)], ['write', ['IssuerEnds']])
    const there = judged({ secret: withContent({ ...under(ending), notAfter: NOW + DAY }), trust: short })
    assert.deepEqual([there.kind, reasons(there)], ['right', ['IssuerEnds']])
    assert.match(there.notes[0]?.message ?? '', /until it has another, no certificate lasts longer$/)
  })

  it('a certificate that ends with its issuer stays when it is due, until its end', () => {
    const subject = { secret: withContent(under(ending)), trust: trusting(ending) }
    const found = judged({ ...subject, now: DUE })
    assert.deepEqual([found.kind, reasons(found)], ['right', ['IssuerEnds']])
    assert.equal(found.kind === 'right' && found.lookAgainAt, NOW + DAY)
    assert.equal(outcome({ ...subject, now: NOW + DAY }), 'leave')
  })
})

describe('an annotation that cannot be read', () => {
  const had: Partial<Content> = { key: 'rsa-2048', dnsNames: DB_NAMES, notAfter: NOW + 7 * DAY }
  const unreadable = account({ [KEY]: 'rsa', [DNS_NAMES]: 'all', [LIFETIME]: 'long' })
  const subject: Partial<Subject> = { account: unreadable, services: [db], secret: withContent(had) }

  it('changes nothing, and is told', () => {
    const found = judged(subject)
    assert.deepEqual([found.kind, reasons(found)], ['right', ['AnnotationUnreadable']])
    assert.match(found.notes[0]?.message ?? '', /the certificate stays as it is and goes on being renewed$/)
  })

  it('leaves all as it was when the certificate is renewed', () => {
    assert.equal(outcome({ ...subject, now: NOW + 4 * DAY }), 'write: renewal')
    const { spiffeId: _, ...wanted } = wantedOf({ ...subject, now: NOW + 4 * DAY })
    assert.deepEqual(wanted, { key: 'rsa-2048', dnsNames: DB_NAMES, lifetimeMs: 7 * DAY })
  })

  it('gives no names to an account that has none', () => {
    assert.equal(outcome({ ...subject, secret: withContent({ ...had, dnsNames: [] }) }), 'right')
  })

  it('keeps no name that belongs to another by now', () => {
    const services = [{ ...db, accounts: ['shop/other'] }]
    assert.deepEqual(wantedOf({ ...subject, services }).dnsNames, [])
  })

  it('keeps no life beyond the limits', () => {
    const secret = withContent({ ...had, notAfter: NOW + 200 * DAY })
    assert.equal(wantedOf({ ...subject, secret }).lifetimeMs, limits.longestMs)
  })

  it('is one note, however many there are, with what keeps a certificate away first', () => {
    const unknown = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`countersign.dev/certificate-${i}`, 'x']))
    const { notes } = judged({ secret: undefined, account: account({ ...unknown, [KEY]: 'rsa' }) })
    assert.equal(notes.length, 1)
    assert.match(notes[0]?.message ?? '', /^countersign\.dev\/certificate-key: .*; and 48 more; until it can be read/)
  })

  it('has no effect where nobody knows it, and is told', () => {
    const found = judged({ secret: undefined, account: account({ 'countersign.dev/certificate-kee': 'x' }) })
    assert.deepEqual([found.kind, reasons(found)], ['write', ['AnnotationUnreadable']])
    assert.match(found.notes[0]?.message ?? '', /did you mean/)
  })
})

describe('a Secret that somebody has made by hand', () => {
  const forged = withContent({ dnsNames: ['vault.bank'], roots: 'f0', anchors: ['f00'] })
  const vault: RunService = { namespace: 'bank', name: 'vault', headless: false, accounts: [] }

  for (const annotations of [{ [DNS_NAMES]: 'services' }, { [DNS_NAMES]: 'what it has' }])
    it(`is no reason to sign its names: ${JSON.stringify(annotations)}`, () => {
      const subject = { account: account(annotations), services: [vault], secret: forged }
      assert.equal(outcome(subject), 'write: roots')
      assert.deepEqual(wantedOf(subject).dnsNames, [])
    })

  it('has its names when they were signed under a root that is trusted, also beside others', () => {
    const secret = withContent({ dnsNames: ['vault.bank'] })
    const subject = { account: account({ [DNS_NAMES]: 'services' }), services: [vault], secret }
    assert.deepEqual(wantedOf({ ...subject, trust: trusting(root, root, next) }).dnsNames, ['vault.bank'])
    assert.deepEqual(wantedOf({ ...subject, trust: trusting(next) }).dnsNames, [])
  })
})

describe('whatever the facts are', () => {
  const minutes = (max: number) => fc.integer({ min: -max, max }).map(count => count * 60 * SECOND)
  const content = fc.record({
    spiffeId: fc.constantFrom(rightContent.spiffeId, 'spiffe://cluster.local/ns/shop/sa/other'),
    dnsNames: fc.constantFrom([], DB_NAMES, ['vault.bank']),
    key: fc.constantFrom('ecdsa-p256' as const, 'rsa-2048' as const),
    serialNumber: fc.string(),
    life: fc.integer({ min: 1, max: 20_000 }).map(count => count * 60 * SECOND),
    begins: minutes(20_000),
    roots: fc.constantFrom(rightContent.roots, rootsDigest(trusting(ending).bundle), 'f0'),
    anchors: fc.constantFrom(rightContent.anchors, ['f0'])
  })
  const subjects = fc.record({
    annotations: fc.record(
      {
        [KEY]: fc.constantFrom('rsa-2048', 'rsa'),
        [DNS_NAMES]: fc.constantFrom('services', 'all'),
        [LIFETIME]: fc.constantFrom('1h', '30d', '1s', '1000d', 'long')
      },
      { requiredKeys: [] }
    ),
    services: fc.subarray([db, idle, { ...idle, namespace: 'bank', name: 'vault' }]),
    content: fc.option(content, { nil: undefined }),
    owners: fc.constantFrom([], ['uid-of-orders'], ['x']),
    immutable: fc.boolean(),
    issuer: fc.constantFrom(root, ending, expired)
  })
  const built = subjects.map(({ annotations, services, content, owners, immutable, issuer }): Subject => {
    const present = content && {
      ...content,
      notBefore: NOW + content.begins,
      notAfter: NOW + content.begins + content.life
    }
    return {
      account: account(annotations),
      services,
      trust: trusting(issuer),
      now: NOW,
      secret: { ...rightSecret, owners, immutable, content: present ?? { problem: 'x' } }
    }
  })
  const contentOf = ({ secret }: Subject): Content | undefined =>
    secret === undefined || 'problem' in secret.content ? undefined : secret.content
  const validIn = (subject: Subject): Content | undefined => {
    const found = contentOf(subject)
    return found !== undefined && found.notBefore <= subject.now && subject.now < found.notAfter ? found : undefined
  }

  it('what is valid and right is renewed only by what lasts longer', () => {
    fc.assert(
      fc.property(built, subject => {
        const found = judge(subject, surroundings)
        const present = validIn(subject)
        if (found.kind !== 'write' || found.reason !== 'renewal' || present === undefined) return
        const reach = Math.min(subject.now + found.wanted.lifetimeMs, subject.trust.issuer.certificate.notAfter)
        assert.ok(reach > present.notAfter)
      }),
      { numRuns: 1_000 }
    )
  })

  it('nothing is to be signed where nothing can be signed, and nothing changed that is immutable', () => {
    fc.assert(
      fc.property(built, subject => {
        const found = judge(subject, surroundings)
        if (found.kind !== 'write' || found.reason === 'owner') return
        assert.notEqual(subject.trust.issuer, expired)
        assert.equal(subject.secret?.immutable, false)
      })
    )
  })

  it('what is right is looked at again later than now, and not later than its end', () => {
    fc.assert(
      fc.property(built, subject => {
        const found = judge(subject, surroundings)
        if (found.kind !== 'right') return
        const present = validIn(subject)
        assert.ok(present !== undefined, 'what is right is valid')
        assert.ok(found.lookAgainAt > subject.now && found.lookAgainAt <= present.notAfter)
      }),
      { numRuns: 1_000 }
    )
  })

  it('once it is done, nothing more is to be done', () => {
    fc.assert(
      fc.property(built, subject => {
        const found = judge(subject, surroundings)
        if (found.kind !== 'write') return
        const { wanted, reason } = found
        const { issuer, bundle } = subject.trust
        const made: Content = {
          spiffeId: wanted.spiffeId.toString(),
          dnsNames: wanted.dnsNames,
          key: wanted.key,
          serialNumber: 'new',
          notBefore: subject.now - BACKDATED_MS,
          notAfter: Math.min(subject.now + wanted.lifetimeMs, issuer.certificate.notAfter),
          roots: rootsDigest(bundle),
          anchors: [rootDigest(issuer.certificate)]
        }
        const before = subject.secret?.content ?? made
        const content = reason === 'owner' ? before : made
        const secret: PresentSecret = { ...rightSecret, immutable: subject.secret?.immutable === true, content }
        const again = judge({ ...subject, secret }, surroundings)
        assert.notEqual(again.kind, 'write')
        assert.ok(reason === 'owner' || again.kind === 'right')
      }),
      { numRuns: 1_000 }
    )
  })

  it('nobody is given a name that nobody gave it', () => {
    fc.assert(
      fc.property(built, subject => {
        const found = judge(subject, surroundings)
        if (found.kind !== 'write') return
        const signed = subject.trust.bundle.roots.some(one => contentOf(subject)?.anchors.includes(rootDigest(one)))
        if (!signed) assert.ok(!found.wanted.dnsNames.includes('vault.bank'))
      })
    )
  })

  it('two leaders come to the same', () => {
    fc.assert(
      fc.property(built, subject => {
        assert.deepEqual(judge(asReadByAnother(subject), surroundings), judge(subject, surroundings))
      })
    )
  })
})

/** Facts that another leader has read for itself, with a bundle of its own. */
function asReadByAnother(subject: Subject): Subject {
  const { issuer, bundle } = subject.trust
  const secret = subject.secret && structuredClone(subject.secret)
  return { ...subject, secret, trust: { issuer, bundle: { trustDomain, roots: [...bundle.roots] } } }
}
