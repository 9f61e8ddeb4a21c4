import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FollowedNamespace } from './followed-namespace.ts'
import { type Circumstances, Ledger } from './ledger.ts'
import { chosenNamespaces } from './namespaces.ts'
import { account, NOW, type trusting } from './secrets.test-support.ts'
import { ServicesByAccount } from './services-by-account.ts'
import type { Account, Judgement, Note, PresentSecret, RunService, Trust } from './types.ts'

const RIGHT: Judgement = { kind: 'right', lookAgainAt: NOW + 10_000, notes: [] }
const WRITE = { kind: 'write', reason: 'missing', wanted: {}, notes: [] } as unknown as Judgement
const NOTE: Note = { reason: 'WriteRefused', message: 'no room' }
const trust = {} as ReturnType<typeof trusting>

function place() {
  const accounts = new Map<string, Account>()
  const secrets = new Map<string, PresentSecret>()
  const followed = {
    accounts: () => accounts.values(),
    account: (name: string) => accounts.get(name),
    secretOf: ({ name }: Account) => ({ secret: secrets.get(name), until: Number.POSITIVE_INFINITY })
  } as unknown as FollowedNamespace
  const judged: string[] = []
  const told: string[] = []
  const verdict = { current: RIGHT as Judgement }
  const ledger = new Ledger(
    followed,
    subject => {
      judged.push(subject.account.name)
      return verdict.current
    },
    ({ name, uid }, notes) => void told.push(`${name} ${uid} ${notes.map(({ message }) => message)}`)
  )
  const put = (name: string, more: Partial<Account> = {}): void =>
    void accounts.set(name, { ...account({}, name), ...more })
  const review = async (more: Partial<Circumstances> = {}): Promise<readonly string[]> => {
    const from = judged.length
    await ledger.review({ services: new ServicesByAccount([]), trust, now: NOW, ...more })
    return judged.slice(from)
  }
  return { accounts, secrets, ledger, verdict, told, put, review }
}

describe('what is judged of accounts', () => {
  it('is judged once, and again only for what changed: one of a thousand', async () => {
    const { put, review, secrets } = place()
    for (let index = 0; index < 1_000; index++) put(`a${index}`)
    assert.equal((await review()).length, 1_000)
    assert.deepEqual(await review(), [])
    put('a7')
    assert.deepEqual(await review(), ['a7'])
    secrets.set('a8', {} as PresentSecret)
    assert.deepEqual(await review(), ['a8'])
    assert.equal((await review({ trust: {} as Trust })).length, 1_000)
  })

  it('is judged again when it is time, and asks for that', async () => {
    const { put, review, ledger } = place()
    put('a')
    await review()
    assert.equal(ledger.lookAgainAt, NOW + 10_000)
    assert.deepEqual(await review({ now: NOW + 9_999 }), [])
    assert.deepEqual(await review({ now: NOW + 10_000 }), ['a'])
    ledger.changed()
    assert.equal(ledger.lookAgainAt, Number.NEGATIVE_INFINITY)
  })

  it('is judged again for Services only where it asks for their names, and those are its own or nobody’s', async () => {
    const { accounts, put, review } = place()
    accounts.set('a', account({ 'countersign.dev/certificate-dns-names': 'services' }, 'a'))
    put('b')
    const service = (name: string, ...run: readonly string[]): RunService => ({
      namespace: 'shop',
      name,
      headless: false,
      accounts: run
    })
    const [own, other, idle] = [service('own', 'shop/a'), service('other', 'shop/b'), service('idle')]
    await review()
    assert.deepEqual(await review({ services: new ServicesByAccount([other]) }), [])
    assert.deepEqual(await review({ services: new ServicesByAccount([other, own]) }), ['a'])
    assert.deepEqual(await review({ services: new ServicesByAccount([own]) }), [])
    assert.deepEqual(await review({ services: new ServicesByAccount([own, idle]) }), ['a'])
  })

  it('is due since it was to be renewed, or else since it was first seen', async () => {
    const { put, review, ledger, verdict } = place()
    put('old')
    await review()
    verdict.current = WRITE
    put('new')
    await review({ now: NOW + 20_000 })
    assert.deepEqual(
      [...ledger.due()],
      [
        ['old', NOW + 10_000],
        ['new', NOW + 20_000]
      ]
    )
    await review({ now: NOW + 90_000 })
    assert.deepEqual([...ledger.due()][1], ['new', NOW + 20_000])
    assert.deepEqual(ledger.counts, { right: 0, waiting: 2, left: 0 })
  })

  it('keeps what stands in the way until what is there changes', async () => {
    const { accounts, secrets, put, review, ledger, verdict, told } = place()
    verdict.current = WRITE
    put('a')
    await review()
    assert.equal(ledger.isSettled, false)
    const [entry] = [ledger.entry('a')]
    assert.ok(entry !== undefined)
    ledger.met(entry, NOTE)
    assert.deepEqual([ledger.isSettled, ledger.hasObstacles, told.at(-1)], [true, true, 'a uid-of-a no room'])
    put('a')
    await review()
    assert.equal(ledger.hasObstacles, true, 'the account changed, and the Secret is as it was')
    secrets.set('a', {} as PresentSecret)
    await review()
    assert.deepEqual([ledger.hasObstacles, told.at(-1)], [false, 'a uid-of-a '])
    ledger.met(entry, NOTE)
    put('a', { uid: 'another' })
    await review()
    assert.equal(ledger.hasObstacles, false)
    ledger.met(entry, NOTE)
    assert.equal(ledger.hasObstacles, false, 'of the account before')
    accounts.delete('a')
    await review()
    assert.deepEqual([ledger.entry('a'), told.at(-1)], [undefined, 'a another '])
  })

  it('is of something else when account or Secret are others', async () => {
    const { secrets, put, review, ledger } = place()
    put('a')
    await review()
    const entry = ledger.entry('a')
    assert.ok(entry !== undefined && ledger.isCurrent(entry))
    secrets.set('a', {} as PresentSecret)
    assert.ok(!ledger.isCurrent(entry))
    secrets.delete('a')
    put('a')
    assert.ok(!ledger.isCurrent(entry))
  })
})

describe('the namespaces that are served', () => {
  const one = (name: string, value?: string) => ({
    name,
    labels: value === undefined ? {} : { 'countersign.dev/secrets': value }
  })
  const all = [one('a', 'enabled'), one('b', 'yes'), one('c'), one('d', 'enabled'), one('system', 'enabled')]

  it('are those that are labelled and listed, and never that of the system', () => {
    assert.deepEqual(chosenNamespaces(all, ['a', 'b', 'system', 'nowhere'], 'system'), {
      served: ['a'],
      unlisted: ['d'],
      unlabelled: ['b']
    })
  })

  it('are all that are labelled where all are listed', () => {
    assert.deepEqual(chosenNamespaces(all, '*', 'system'), { served: ['a', 'd'], unlisted: [], unlabelled: [] })
  })

  it('are none where none is listed', () => {
    assert.deepEqual(chosenNamespaces(all, [], 'system').served, [])
  })
})
