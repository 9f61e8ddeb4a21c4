import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type AccountState, conditionDueAt, conditionPatch, readinessCondition } from './readiness-condition.ts'
import type { Note } from './types.ts'

const has = (name: string, ...notes: readonly Note[]): AccountState => ({
  name,
  hasCertificate: true,
  isWaiting: false,
  notes
})
const waits = (name: string, ...notes: readonly Note[]): AccountState => ({
  name,
  hasCertificate: false,
  isWaiting: true,
  notes
})
const lacks = (name: string, ...notes: readonly Note[]): AccountState => ({
  ...waits(name, ...notes),
  isWaiting: false
})
const clamped: Note = { reason: 'LifetimeClamped', message: 'too short' }
const refused: Note = { reason: 'WriteRefused', message: 'no room' }
const taken: Note = { reason: 'SecretNotOurs', message: 'taken' }
const many = (count: number, make: (name: string) => AccountState): readonly AccountState[] =>
  Array.from({ length: count }, (_, index) => make(`a${index}`))

describe('the condition of a namespace', () => {
  const cases: Readonly<Record<string, readonly [readonly AccountState[], string]>> = {
    'without accounts': [[], 'True Issued: 0 service accounts have their certificates'],
    'with one account': [[has('a')], 'True Issued: 1 service account has its certificate'],
    'where all is well': [many(14, has), 'True Issued: 14 service accounts have their certificates'],
    'where something is to be known of one': [
      [has('b', clamped), has('a')],
      'True Issued: 2 service accounts have their certificates; b: too short'
    ],
    'of which one waits, with a note that is no obstacle': [
      [has('a'), waits('b', clamped)],
      'False Issuing: 1 of 2 service accounts waits for its certificate'
    ],
    'of which many wait': [
      [...many(188, has), ...many(12, waits)],
      'False Issuing: 12 of 200 service accounts wait for their certificate'
    ],
    'where one cannot have any': [
      [has('a'), lacks('orders', clamped, refused)],
      'False WriteRefused: 1 of 2 service accounts has no certificate: orders: too short, no room'
    ],
    'where the first by name says why, and others wait': [
      [lacks('y', refused), lacks('x', taken), waits('a'), waits('b')],
      'False SecretNotOurs: 2 of 4 service accounts have no certificate: x: taken; y: no room; 2 wait for their certificate'
    ],
    'where a renewal is refused, and the old one is still valid': [
      [has('a', refused)],
      'True Issued: 1 service account has its certificate; a: no room'
    ]
  }
  for (const [what, [states, expected]] of Object.entries(cases))
    it(what, () => {
      const { status, reason, message } = readinessCondition(states)
      assert.equal(`${status} ${reason}: ${message}`, expected)
    })

  it('names five accounts, and says how many more there are, each with no more than anybody reads', () => {
    const { message } = readinessCondition(many(9, name => lacks(name, { ...refused, message: 'x'.repeat(900) })))
    assert.match(message, /^9 of 9 .*: a0: x+…; a1: x+…; a2: x+…; a3: x+…; a4: x+…; and 4 more$/)
    assert.ok(message.length < 2_000)
  })
})

describe('when it is written', () => {
  const at = (writtenAt: number, changedAt: number, settled: boolean): number =>
    conditionDueAt({ writtenAt, changedAt, settled })
  const NEVER = Number.NEGATIVE_INFINITY

  it('is at once when all is done, though not twice in a second', () => {
    assert.equal(at(NEVER, 10_000, true), NEVER)
    assert.equal(at(9_500, 10_000, true), 10_500)
  })

  it('is every five seconds at most while something is under way, and not for what passes', () => {
    assert.equal(at(NEVER, 10_000, false), 12_000)
    assert.equal(at(9_000, 10_000, false), 14_000)
  })
})

describe('the patch of it', () => {
  const now = Date.UTC(2026, 0, 1)
  const wanted = { status: 'True', reason: 'Issued', message: 'well' } as const
  const type = 'countersign.dev/CertificatesReady'
  const shop = (...conditions: readonly object[]) => ({ metadata: { name: 'shop' }, status: { conditions } })
  const conditionIn = (patch: object | undefined) =>
    (patch as { status: { conditions: Record<string, unknown>[] } } | undefined)?.status.conditions[0]

  it('is the whole condition, with the time', () => {
    for (const present of [{ metadata: { name: 'shop' } }, shop(), shop({ type: 'Other', status: 'True' })])
      assert.deepEqual(conditionPatch(present, wanted, now), {
        status: { conditions: [{ type, ...wanted, lastTransitionTime: '2026-01-01T00:00:00Z' }] }
      })
  })

  it('keeps the time where the status is the same', () => {
    const old = { ...wanted, type, message: 'old', lastTransitionTime: '2020-01-01T00:00:00Z' }
    assert.equal(conditionIn(conditionPatch(shop(old), wanted, now))?.['lastTransitionTime'], old.lastTransitionTime)
    const other = conditionPatch(shop({ ...old, status: 'False' }), wanted, now)
    assert.equal(conditionIn(other)?.['lastTransitionTime'], '2026-01-01T00:00:00Z')
  })

  it('is none where it says that already', () => {
    assert.equal(conditionPatch(shop({ type, ...wanted }), wanted, now), undefined)
  })

  it('takes it away where none shall be, if there is one', () => {
    assert.deepEqual(conditionIn(conditionPatch(shop({ type, ...wanted }), undefined, now)), { $patch: 'delete', type })
    assert.equal(conditionPatch(shop({ type: 'Other' }), undefined, now), undefined)
  })

  it('is right where conditions are something else', () => {
    for (const conditions of ['x', [1, null, 'x']])
      assert.ok(conditionPatch({ metadata: { name: 'shop' }, status: { conditions } }, wanted, now) !== undefined)
  })
})
