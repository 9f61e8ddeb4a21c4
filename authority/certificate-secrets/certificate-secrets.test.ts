import assert from 'node:assert/strict'
import { afterEach, before, describe, it } from 'node:test'
import { SECRET_KEYS } from '../../shared/certificate-secrets/index.ts'
import { status } from '../../shared/kube/api-server.test-support.ts'
import { record } from '../../shared/kube/index.ts'
import type { Issuer } from '../../shared/x509/index.ts'
import { ACCOUNTS, Changeable, EVENTS, NAMESPACES, namespace, Place, SECRETS } from './leader.test-support.ts'
import { DAY, encoded, HOUR, NOW, rootUntil, SECOND, trusting } from './secrets.test-support.ts'

const closers: (() => unknown)[] = []
let root: Issuer

before(async () => {
  root = await rootUntil(NOW + 3_650 * DAY)
})

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const open = (): Promise<Place> => Place.open(trusting(root), closers)

/** A place with accounts, and a leader that has done all there was to do. */
async function led(...names: readonly string[]) {
  const place = await open()
  for (const name of names) place.account(name)
  const replica = await place.replica()
  replica.leadership.lead()
  await place.until(() => names.every(name => place.content(name) !== undefined), 'the Secrets')
  await place.until(() => place.condition()?.['status'] === 'True', 'the condition')
  return { place, ...replica }
}

const messageOf = (place: Place, of = 'shop'): string => String(place.condition(of)?.['message'])
const reasonsOf = (place: Place): readonly unknown[] => place.events().map(({ reason }) => reason)

describe('a service account of a labelled namespace', () => {
  it('gets a Secret of its own, with one request, by the leader alone', async () => {
    const place = await open()
    place.account('orders')
    place.account('stock')
    const { leadership, lines } = await place.replica()
    await place.quiet(2_000)
    assert.deepEqual(place.server.requests, [], 'nobody asks for anything before')
    leadership.lead()
    await place.until(() => place.content('orders') !== undefined && place.content('stock') !== undefined, 'both')
    await place.until(() => place.condition()?.['status'] === 'True', 'the condition')
    await place.quiet(30_000)
    assert.equal(place.writes().length, 2)
    assert.equal(place.writes('events').length, 0)
    assert.equal(place.writes('namespaces/shop/status').length, 1)
    assert.equal(messageOf(place), '2 service accounts have their certificates')
    assert.equal(place.condition()?.['reason'], 'Issued')
    const line = lines.find(({ account }) => account === 'shop/orders')
    const { serialNumber, notAfter } = place.content('orders') ?? {}
    assert.deepEqual(
      [line?.['secret'], line?.['reason'], line?.['serialNumber'], line?.['notAfter'], line?.['level']],
      ['countersign.orders', 'missing', serialNumber, new Date(notAfter ?? 0).toISOString(), 'info']
    )
  })

  it('gets it also when it comes later, and no other is touched', async () => {
    const { place } = await led('orders')
    place.account('late')
    await place.until(() => place.content('late') !== undefined, 'its Secret')
    await place.until(() => messageOf(place).startsWith('2 '), 'the condition')
    assert.equal(place.writes().length, 2)
  })

  it('gets none before both accounts and Secrets were seen', async () => {
    const place = await open()
    place.account('orders')
    let listed = false
    place.server.intercept = (request, response) => {
      if (listed || !request.url?.includes('/secrets?')) return false
      status(response, 503, 'ServiceUnavailable')
      return true
    }
    const { leadership } = await place.replica()
    leadership.lead()
    await place.quiet(20_000)
    assert.deepEqual(place.sent, [])
    listed = true
    await place.until(() => place.content('orders') !== undefined, 'the Secret')
  })

  it('has what the leader before wrote, and it is not written again', async () => {
    const { place, leadership } = await led('orders')
    await leadership.lose()
    const next = await place.replica()
    next.leadership.lead()
    await place.until(() => place.server.watches === 2, 'the watches')
    await place.quiet(20_000)
    assert.equal(place.sent.length, 2, 'one Secret, one condition')
    assert.deepEqual(next.observed.counts, { right: 1, waiting: 0, left: 0 })
  })

  it('is served where it asks for another key, a life and the names of its Services', async () => {
    const place = await open()
    place.account('orders', {
      'countersign.dev/certificate-key': 'rsa-2048',
      'countersign.dev/certificate-lifetime': '1h',
      'countersign.dev/certificate-dns-names': 'services'
    })
    const web = { namespace: 'shop', name: 'web', headless: false, accounts: ['shop/orders'] }
    place.mesh.set({ ...place.mesh.current(), services: [web] })
    const { leadership, observed } = await place.replica()
    leadership.lead()
    await place.until(() => place.content('orders') !== undefined, 'the Secret')
    const first = place.content('orders')
    assert.deepEqual(first?.dnsNames, ['web.shop', 'web.shop.svc', 'web.shop.svc.cluster.local'])
    assert.equal(first?.key, 'rsa-2048')
    assert.equal(place.certificate('orders').publicKey.asymmetricKeyType, 'rsa')

    place.mesh.set({ ...place.mesh.current(), services: [{ ...web, accounts: [] }] })
    await place.quiet(5_000)
    assert.equal(place.writes().length, 1, 'all pods gone: the names stay')
    place.mesh.set({ ...place.mesh.current(), services: [{ ...web, accounts: ['shop/other'] }] })
    await place.until(() => place.content('orders')?.dnsNames.length === 0, 'the names gone')
    assert.deepEqual(observed.written, ['missing', 'dns-names'])
  })

  it('of another namespace gets none: without the label, not in the list, or of the system', async () => {
    const place = await open()
    for (const name of ['shop', 'bank', 'other', 'countersign-system']) place.account('orders', {}, name)
    place.mesh.set({
      namespaces: [namespace('shop', 'disabled'), namespace('other'), namespace('countersign-system')],
      services: []
    })
    const { leadership, lines } = await place.replica({ namespaces: ['shop', 'bank', 'countersign-system'] })
    leadership.lead()
    await place.quiet(5_000)
    place.mesh.set({ ...place.mesh.current(), services: [] })
    place.mesh.set({ ...place.mesh.current(), namespaces: [...place.mesh.current().namespaces] })
    await place.quiet(5_000)
    assert.deepEqual(place.sent, [])
    assert.equal(place.server.watches, 0)
    const warned = lines.filter(({ level }) => level === 'warn')
    assert.deepEqual(
      warned.map(({ namespace: name, change }) => [name, change]),
      [['other', 'certificateSecrets.namespaces']]
    )
  })

  it('gets one in every labelled namespace where all are listed', async () => {
    const place = await open()
    place.account('orders', {}, 'bank')
    place.account('root', {}, 'countersign-system')
    place.mesh.set({ namespaces: [namespace('bank'), namespace('countersign-system')], services: [] })
    const { leadership } = await place.replica({ namespaces: '*' })
    leadership.lead()
    await place.until(() => place.content('orders', 'bank') !== undefined, 'the Secret')
    await place.quiet(2_000)
    assert.equal(place.writes().length, 1)
  })
})

describe('a certificate', () => {
  it('is replaced around half of its life, with one request, while the old one is there', async () => {
    const { place, observed } = await led('orders')
    const first = place.content('orders')
    await place.clock.advance(10 * HOUR)
    await place.quiet(1_000)
    assert.equal(place.writes().length, 1)
    await place.until(() => place.content('orders')?.serialNumber !== first?.serialNumber, 'the next one', 600_000)
    assert.ok(place.clock.now() - NOW < 14 * HOUR)
    assert.deepEqual(observed.written, ['missing', 'renewal'])
    await place.quiet(HOUR)
    assert.equal(place.writes().length, 2)
  })

  it('is written anew at once, each and once, when other roots are trusted', async () => {
    const { place, observed } = await led('a', 'b', 'c')
    place.trust.set(trusting(root, root, await rootUntil(NOW + 100 * DAY, 'next')))
    await place.until(() => observed.written.length === 6, 'three more')
    await place.quiet(10_000)
    assert.deepEqual(observed.written.slice(3), ['roots', 'roots', 'roots'])
    assert.equal(place.writes().length, 6)
  })

  const data = (place: Place, name: string) => place.secret(name)?.['data'] as Record<string, string>
  const damages: Readonly<Record<string, (place: Place) => void>> = {
    deleted: place => place.server.remove(SECRETS, 'countersign.a', 'shop'),
    emptied: place => place.server.put(SECRETS, { ...place.secret('a'), data: {} }),
    'cut off': place => {
      const chain = data(place, 'a')[SECRET_KEYS.chain] ?? ''
      place.server.put(SECRETS, {
        ...place.secret('a'),
        data: { ...data(place, 'a'), [SECRET_KEYS.chain]: chain.slice(0, 200) }
      })
    },
    'given the key of another': place =>
      place.server.put(SECRETS, {
        ...place.secret('a'),
        data: { ...data(place, 'a'), [SECRET_KEYS.key]: data(place, 'b')[SECRET_KEYS.key] }
      }),
    'exchanged for that of another': place =>
      place.server.put(SECRETS, { ...place.secret('a'), data: data(place, 'b') }),
    orphaned: place => {
      const secret = place.secret('a')
      place.server.put(SECRETS, { ...secret, metadata: { ...secret?.metadata, ownerReferences: [] } })
    }
  }
  for (const [what, damage] of Object.entries(damages))
    it(`is mended with one request after it was ${what}`, async () => {
      const { place, observed } = await led('a', 'b')
      const serial = place.content('b')?.serialNumber
      await place.quiet(2_000)
      damage(place)
      await place.until(() => observed.written.length === 3, 'the repair')
      await place.quiet(10_000)
      assert.equal(place.writes().length, 3)
      assert.equal(place.content('a')?.spiffeId, 'spiffe://cluster.local/ns/shop/sa/a')
      assert.equal((place.secret('a')?.metadata['ownerReferences'] as unknown[] | undefined)?.length, 1)
      assert.equal(place.content('b')?.serialNumber, serial)
    })

  it('is not fought for more than once a second', async () => {
    const { place } = await led('a')
    const before = place.writes().length
    for (let time = 0; time < 30; time++) {
      if (place.secret('a') !== undefined) place.server.remove(SECRETS, 'countersign.a', 'shop')
      await place.quiet(100)
    }
    assert.ok(place.writes().length - before <= 4, `${place.writes().length - before} in 3 s`)
  })

  it('leaves the labels, annotations and data of others in its Secret', async () => {
    const { place, observed } = await led('a')
    const secret = place.secret('a')
    const metadata = { ...secret?.metadata, labels: { team: 'x' }, annotations: { note: 'y' } }
    place.server.put(SECRETS, { ...secret, metadata, data: { 'extra.txt': encoded('z') } })
    await place.until(() => observed.written.length === 2, 'the repair')
    const mended = place.secret('a')
    assert.equal(record(mended?.metadata['labels'])?.['team'], 'x')
    assert.equal(record(mended?.metadata['annotations'])?.['note'], 'y')
    assert.equal(data(place, 'a')['extra.txt'], encoded('z'))
  })
})

describe('a Secret of that name that is somebody else’s', () => {
  it('is left alone: an event and the condition say so, and it is looked at again', async () => {
    const place = await open()
    const theirs = { metadata: { name: 'countersign.orders', namespace: 'shop' }, type: 'Opaque', data: { a: 'Yg==' } }
    place.server.put(SECRETS, theirs)
    place.account('orders')
    place.account('stock')
    const { leadership, observed } = await place.replica()
    leadership.lead()
    await place.until(() => place.events().length === 1, 'the event')
    await place.until(() => place.condition()?.['reason'] === 'SecretNotOurs', 'the condition')
    const [event] = place.events()
    assert.equal(event?.['reason'], 'SecretNotOurs')
    assert.equal(record(event?.['involvedObject'])?.['uid'], 'uid-of-shop-orders')
    assert.match(
      messageOf(place),
      /^1 of 2 service accounts has no certificate: orders: the Secret countersign.orders is/
    )
    assert.deepEqual(place.secret('orders')?.['data'], { a: 'Yg==' })
    assert.ok(place.content('stock') !== undefined)
    assert.deepEqual(observed.counts, { right: 1, waiting: 0, left: 1 })

    const before = place.writes().length
    await place.quiet(130_000)
    assert.ok(place.writes().length - before <= 3, 'once a minute')
    assert.equal(place.events().length, 1)
    place.server.remove(SECRETS, 'countersign.orders', 'shop')
    await place.until(() => place.content('orders') !== undefined, 'its Secret')
    await place.until(() => place.condition()?.['status'] === 'True', 'the condition')
  })

  it('is told apart from our own that was made without an answer', async () => {
    const place = await open()
    place.account('orders')
    let lost = 0
    place.server.intercept = (request, response) => {
      if (request.method === 'POST' && request.url?.includes('/secrets') && lost++ === 0)
        response.end = (() => request.socket.resetAndDestroy()) as unknown as typeof response.end
      return false
    }
    const { leadership, observed } = await place.replica()
    leadership.lead()
    await place.until(() => place.content('orders') !== undefined, 'the Secret')
    const serial = place.content('orders')?.serialNumber
    await place.until(() => observed.counts['right'] === 1, 'that it is seen to be right')
    await place.quiet(70_000)
    assert.equal(place.content('orders')?.serialNumber, serial)
    assert.deepEqual(place.events(), [])
  })
})

describe('an annotation that cannot be read', () => {
  const wrong = { 'countersign.dev/certificate-key': 'rsa-4096' }

  it('makes no certificate, and what there is stays and is renewed', async () => {
    const { place, observed } = await led('old')
    place.account('old', wrong)
    place.account('new', wrong)
    await place.until(() => place.events().length === 2, 'the events')
    await place.until(() => place.condition()?.['reason'] === 'AnnotationUnreadable', 'the condition')
    assert.match(messageOf(place), /^1 of 2 service accounts has no certificate: new: .*certificate-key/)
    assert.equal(place.secret('new'), undefined)
    assert.deepEqual(observed.counts, { right: 1, waiting: 0, left: 1 })
    await place.until(() => observed.written.length === 2, 'the renewal', 600_000)
    assert.equal(observed.written[1], 'renewal')
    place.account('new')
    await place.until(() => place.content('new') !== undefined, 'the Secret, once it can be read')
  })
})

describe('an API server that refuses', () => {
  it('one account holds up no other; it is told, tried ever less often, and mended', async () => {
    const place = await open()
    for (const name of ['a', 'b', 'c']) place.account(name)
    let refuses = true
    const leaked = 'QUJD'.repeat(20)
    place.server.intercept = (request, response) => {
      if (!refuses || request.method !== 'POST' || !request.url?.includes('/secrets')) return false
      let text = ''
      request.on('data', chunk => {
        text += String(chunk)
      })
      request.on('end', () => {
        if (!text.includes('"countersign.b"')) {
          place.server.put(SECRETS, JSON.parse(text))
          response.writeHead(201, { 'content-type': 'application/json' })
          response.end(JSON.stringify(place.server.find(SECRETS, JSON.parse(text).metadata.name, 'shop')))
          return
        }
        const message = `secrets "countersign.b" is forbidden: exceeded quota: secrets; sent ${leaked}`
        response.writeHead(403, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message }))
      })
      return true
    }
    const { leadership, lines, observed } = await place.replica()
    leadership.lead()
    await place.until(() => place.content('a') !== undefined && place.content('c') !== undefined, 'the others')
    await place.until(() => place.condition()?.['reason'] === 'WriteRefused', 'the condition')
    await place.until(() => place.events().length === 1, 'the event')
    await place.quiet(30_000)
    assert.equal(place.events().length, 1)
    const attempts = place.writes().length - 2
    assert.ok(attempts <= 7, `${attempts} attempts`)
    await place.until(() => place.writes().length - 2 >= 4, 'four attempts')
    assert.match(messageOf(place), /^1 of 3 service accounts has no certificate: b: .*exceeded quota: secrets; sent …$/)
    assert.equal(lines.filter(({ level }) => level === 'warn').length, 1)
    assert.equal(observed.failed, attempts)
    assert.ok(!JSON.stringify([lines, place.events(), place.condition()]).includes('QUJDQUJD'))
    refuses = false
    await place.until(() => place.content('b') !== undefined, 'its Secret', 500)
    await place.until(() => place.condition()?.['status'] === 'True', 'the condition')
    assert.ok(lines.some(({ msg }) => msg === 'nothing stands in the way of Secrets any more'))
  })

  for (const code of [422, 403])
    it(`with ${code} as a whole is told of once`, async () => {
      const place = await open()
      place.account('a')
      place.server.intercept = (request, response) => {
        if (request.method !== 'POST' || !request.url?.includes('/secrets')) return false
        status(response, code, 'Reason')
        return true
      }
      const { leadership, lines } = await place.replica()
      leadership.lead()
      await place.until(() => place.events().length === 1, 'the event')
      await place.quiet(60_000)
      assert.deepEqual(reasonsOf(place), ['WriteRefused'])
      assert.equal(lines.filter(({ level }) => level === 'warn').length, 1)
    })

  it('because the namespace is being deleted: nothing is said', async () => {
    const place = await open()
    place.account('a')
    place.server.intercept = (request, response) => {
      if (request.method !== 'POST' || !request.url?.includes('/secrets')) return false
      const message =
        'secrets "countersign.a" is forbidden: unable to create new content in namespace shop because it is being terminated'
      response.writeHead(403).end(JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message }))
      return true
    }
    const { leadership, lines } = await place.replica()
    leadership.lead()
    await place.until(() => place.writes().length === 2, 'attempts')
    await place.quiet(20_000)
    assert.deepEqual(place.events(), [])
    assert.deepEqual(
      lines.filter(({ level }) => level === 'warn'),
      []
    )
    assert.ok(place.writes().length <= 8)
  })

  it('a change because it is not as it was: what is there by then is judged', async () => {
    const { place, observed } = await led('a')
    let conflicts = 0
    place.server.intercept = request => {
      if (request.method === 'PATCH' && request.url?.includes('/secrets/') && conflicts++ === 0)
        place.server.put(SECRETS, { ...place.secret('a'), data: { more: 'eA==' } })
      return false
    }
    place.server.put(SECRETS, { ...place.secret('a'), data: {} })
    await place.until(() => place.content('a') !== undefined, 'the repair')
    await place.until(() => observed.written.length === 2, 'the word of it')
    assert.equal(record(place.secret('a')?.['data'])?.['more'], 'eA==')
    assert.deepEqual(place.events(), [])
  })

  it('to answer: all waits, and all is right when it is back', async () => {
    const place = await open()
    const names = Array.from({ length: 10 }, (_, index) => `a${index}`)
    for (const name of names) place.account(name)
    const { leadership, lines } = await place.replica()
    leadership.lead()
    await place.until(() => place.writes().length >= 3, 'the first ones')
    const port = await place.server.stop()
    await place.quiet(30_000)
    await place.server.listen(port)
    await place.until(() => names.every(name => place.content(name) !== undefined), 'all of them', 100)
    await place.until(() => place.condition()?.['status'] === 'True', 'the condition', 100)
    assert.deepEqual(reasonsOf(place), [])
    assert.equal(lines.filter(({ level, room }) => level === 'error' && room !== undefined).length, 0)
  })
})

describe('a flood', () => {
  it('of 1,000 accounts is written at 20 a second, and an account elsewhere does not wait for it', async () => {
    const place = await open()
    place.mesh.set({ namespaces: [namespace('shop'), namespace('bank')], services: [] })
    for (let index = 0; index < 1_000; index++) place.account(`a${index}`)
    const { leadership, observed } = await place.replica()
    leadership.lead()
    await place.until(() => place.writes('namespaces/shop/secrets').length >= 60, 'the beginning')
    await place.still(() => place.server.watches === 4, 'the watches')

    place.account('urgent', {}, 'bank')
    const written = (): number => place.writes('namespaces/shop/secrets').length
    const from = written()
    await place.until(() => place.secret('urgent', 'bank') !== undefined, 'the other one', 5)
    assert.ok(written() - from <= 20, `${written() - from} before it`)

    for (let count = 100; count <= 1_000; count += 100)
      await place.until(
        () => (observed.counts['right'] ?? 0) > count,
        () => JSON.stringify(observed.counts),
        50
      )
    await place.until(() => place.condition()?.['status'] === 'True', 'the condition')
    const times = place.sent.map(({ at }) => at).sort((a, b) => a - b)
    for (const [index, at] of times.entries())
      assert.ok((times[index + 20] ?? Number.POSITIVE_INFINITY) - at >= 1_000, 'more than 20 in a second')
    assert.equal(place.writes().length, 1_001)
    const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000
    assert.ok(place.writes('namespaces/shop/status').length <= seconds / 5 + 2)
    assert.equal(messageOf(place), '1000 service accounts have their certificates')
  })

  it('says meanwhile how many wait', async () => {
    const place = await open()
    for (let index = 0; index < 100; index++) place.account(`a${index}`)
    const { leadership } = await place.replica()
    leadership.lead()
    await place.until(() => place.condition() !== undefined, 'the condition')
    assert.match(messageOf(place), /^\d+ of 100 service accounts wait for their certificate$/)
    assert.deepEqual([place.condition()?.['status'], place.condition()?.['reason']], ['False', 'Issuing'])
    const { lastTransitionTime } = place.condition() ?? {}
    await place.until(() => place.condition()?.['status'] === 'True', 'the end')
    assert.notEqual(place.condition()?.['lastTransitionTime'], lastTransitionTime)
  })
})

describe('keys that take their time', () => {
  it('are made beside others, for each account once', async () => {
    const place = await open()
    place.mesh.set({ namespaces: [namespace('shop'), namespace('bank')], services: [] })
    const names = Array.from({ length: 12 }, (_, index) => `a${index}`)
    for (const name of names) {
      place.account(name)
      place.account(name, { 'countersign.dev/certificate-key': 'rsa-2048' }, 'bank')
    }
    const { leadership } = await place.replica()
    leadership.lead()
    await place.until(() => names.every(name => place.content(name) !== undefined), 'the others')
    await place.until(() => names.every(name => place.content(name, 'bank')?.key === 'rsa-2048'), 'the slow ones')
    assert.equal(place.writes().length, 24)
  })
})

describe('the end of leadership', () => {
  it('in the middle of 200: another goes on, and none is written twice or replaced', async () => {
    const place = await open()
    const names = Array.from({ length: 200 }, (_, index) => `a${index}`)
    for (const name of names) place.account(name)
    const first = await place.replica()
    first.leadership.lead()
    await place.until(() => place.writes().length >= 80, 'some of them')
    await first.leadership.lose()
    assert.equal(first.observed.counts['right'], 0)
    const before = new Map(names.map(name => [name, place.content(name)?.serialNumber]))
    assert.ok([...before.values()].filter(Boolean).length >= 75)
    const second = await place.replica()
    second.leadership.lead()
    await place.until(() => second.observed.counts['right'] === 200, 'all of them')
    for (const [name, serial] of before)
      if (serial !== undefined) assert.equal(place.content(name)?.serialNumber, serial, name)
    assert.ok(names.every(name => place.content(name) !== undefined))
    assert.ok(place.writes().length <= 203, `${place.writes().length} writes`)
  })

  it('is noticed before a write, also when its signal is late, and between key and write', async () => {
    const place = await open()
    const { leadership } = await place.replica()
    leadership.lead()
    await place.until(() => place.server.watches === 2, 'the watches')
    place.account('a', { 'countersign.dev/certificate-key': 'rsa-2048' })
    leadership.isLeader = false
    await place.quiet(5_000)
    assert.deepEqual(place.writes(), [])
    await leadership.lose()
    leadership.lead()
    await place.until(() => place.content('a') !== undefined, 'the next time of leading')
  })

  it('leaves nothing behind', async () => {
    const { place, secrets } = await led('a', 'b')
    await secrets.close()
    await place.still(() => place.server.watches === 0, 'the end of the watches')
    assert.equal(place.clock.pending, 0)
    assert.deepEqual([place.mesh.listeners, place.trust.listeners], [0, 0])
    place.server.remove(SECRETS, 'countersign.a', 'shop')
    await place.quiet(10_000)
    assert.equal(place.writes().length, 2)
  })

  it('ends what is being written', async () => {
    const place = await open()
    place.account('a')
    place.server.intercept = request => request.method === 'POST'
    const { leadership } = await place.replica()
    leadership.lead()
    await place.until(() => place.writes().length === 1, 'a write that hangs')
    await leadership.lose()
    assert.equal(place.clock.pending, 0)
  })
})

describe('the label of a namespace', () => {
  it('gone takes its condition along, and no Secret', async () => {
    const { place } = await led('a')
    const other = { type: 'Other', status: 'True' }
    const shop = place.server.find(NAMESPACES, 'shop')
    const { conditions } = (shop?.['status'] ?? {}) as { conditions?: object[] }
    place.server.put(NAMESPACES, { ...shop, status: { conditions: [other, ...(conditions ?? [])] } })
    place.mesh.set({ namespaces: [{ name: 'shop', labels: {} }], services: [] })
    await place.until(() => place.condition() === undefined, 'the condition gone')
    assert.deepEqual(place.server.find(NAMESPACES, 'shop')?.['status'], { conditions: [other] })
    await place.still(() => place.server.watches === 0, 'the end of the watches')
    assert.ok(place.content('a') !== undefined)
    place.server.remove(SECRETS, 'countersign.a', 'shop')
    await place.quiet(10_000)
    assert.equal(place.secret('a'), undefined)
    place.mesh.set({ namespaces: [namespace('shop')], services: [] })
    await place.until(() => place.content('a') !== undefined, 'it comes back with the label')
    await place.until(() => place.condition()?.['status'] === 'True', 'and the condition')
  })

  it('gone while nobody led: the next leader takes the condition away', async () => {
    const { place, leadership } = await led('a')
    await leadership.lose()
    place.mesh.set({
      namespaces: [
        { name: 'shop', labels: {} },
        { name: 'bank', labels: {} }
      ],
      services: []
    })
    const next = await place.replica()
    next.leadership.lead()
    await place.until(() => place.condition() === undefined, 'the condition gone')
    await place.quiet(5_000)
    assert.equal(place.writes('status').length, 2)
  })

  it('gone with its namespace: nothing is written any more', async () => {
    const { place } = await led('a')
    const before = place.sent.length
    place.mesh.set({ namespaces: [], services: [] })
    place.server.remove(NAMESPACES, 'shop')
    place.server.remove(ACCOUNTS, 'a', 'shop')
    await place.quiet(10_000)
    assert.equal(place.sent.length, before)
  })
})

describe('what is told', () => {
  it('stands in an event once, by this leader and the next', async () => {
    const { place, leadership } = await led('a')
    place.account('a', { 'countersign.dev/certificate-lifetime': '1s' })
    await place.until(() => reasonsOf(place).includes('LifetimeClamped'), 'the event')
    await place.until(() => messageOf(place).includes('; a: '), 'the condition')
    const count = place.writes('events').length
    await place.quiet(60_000)
    assert.equal(place.writes('events').length, count)
    await leadership.lose()
    const next = await place.replica()
    next.leadership.lead()
    await place.until(() => place.writes('events').length === count + 1, 'the next leader saying it')
    await place.quiet(5_000)
    assert.equal(place.server.find(EVENTS, place.events()[0]?.metadata.name ?? '', 'shop')?.['count'], 1)
    assert.equal(place.events().length, count)
    assert.equal(next.lines.filter(({ level }) => level === 'warn').length, 0)
  })

  it('cannot be told where events and conditions are refused, and Secrets are written all the same', async () => {
    const place = await open()
    place.account('a', { 'countersign.dev/certificate-lifetime': '1s' })
    place.server.intercept = (request, response) => {
      if (!request.url?.includes('/events') && !request.url?.endsWith('namespaces/shop')) return false
      status(response, 403, 'Forbidden')
      return true
    }
    const { leadership, lines } = await place.replica()
    leadership.lead()
    await place.until(() => place.content('a') !== undefined, 'the Secret')
    await place.quiet(20_000)
    assert.deepEqual(
      lines
        .filter(({ level }) => level === 'warn')
        .map(({ what }) => what)
        .sort(),
      ['a condition', 'an event']
    )
    assert.ok(place.server.requests.filter(({ path }) => path === `${NAMESPACES}/shop`).length <= 7)
  })

  it('never holds a key: no line, no event, no condition, no error', async () => {
    const place = await open()
    place.account('refused', { 'countersign.dev/certificate-lifetime': '1s' })
    const names = ['a', 'b', 'rsa']
    for (const name of names)
      place.account(name, name === 'rsa' ? { 'countersign.dev/certificate-key': 'rsa-2048' } : {})
    const keys: string[] = []
    const put = place.server.put.bind(place.server)
    place.server.put = (kind, object) => {
      const data = (object as { data?: Record<string, string> }).data ?? {}
      if (kind === SECRETS) keys.push(data[SECRET_KEYS.key] ?? '')
      return put(kind, object)
    }
    // An admission plug-in that says all that it was sent.
    place.server.intercept = (request, response) => {
      if (request.method !== 'POST' || !request.url?.includes('/secrets') || keys.length < names.length) return false
      let text = ''
      request.on('data', chunk => {
        text += String(chunk)
      })
      request.on('end', () => {
        keys.push(JSON.parse(text).data[SECRET_KEYS.key])
        response
          .writeHead(422)
          .end(JSON.stringify({ kind: 'Status', code: 422, message: text.slice(text.indexOf('"data"')) }))
      })
      return true
    }
    const { leadership, lines } = await place.replica()
    leadership.lead()
    await place.until(() => reasonsOf(place).includes('WriteRefused'), 'the refusal')
    await place.until(() => place.condition()?.['reason'] === 'WriteRefused', 'the condition')
    await place.quiet(5_000)
    const rest = [...place.server.objects].filter(([key]) => !key.startsWith(`${SECRETS} `))
    const asked = place.server.requests.map(({ path, query }) => `${path}?${query}`)
    const told = JSON.stringify([rest, asked, lines])
    assert.ok(keys.length > names.length && keys.every(key => key.length > 200))
    assert.ok(!told.includes('PRIVATE KEY'))
    for (const key of keys) {
      const pem = Buffer.from(key, 'base64').toString()
      for (const secret of [key.slice(0, 30), key.slice(60, 90), ...pem.split('\n').slice(1, -2)])
        assert.ok(!told.includes(secret), 'a part of a key is told')
    }
  })
})

describe('a mistake of ours', () => {
  it('ends neither this leader nor what comes after it', async () => {
    const place = await open()
    place.account('a')
    let broken = true
    const mesh = new Changeable(place.mesh.current())
    const { leadership, lines } = await place.replica({
      mesh: {
        current: () => {
          if (broken) throw new TypeError('a mistake')
          return mesh.current()
        },
        subscribe: () => () => {}
      }
    })
    leadership.lead()
    await place.until(() => lines.some(({ level }) => level === 'error'), 'the report')
    broken = false
    await place.until(() => place.content('a') !== undefined, 'the Secret', 1_000)
  })
})

describe('time', () => {
  it('that is set back holds up no write for longer than usual', async () => {
    const { place } = await led('a')
    const now = place.clock.now.bind(place.clock)
    place.clock.now = () => now() - 30 * SECOND
    await place.quiet(2_000)
    place.account('b')
    await place.until(() => place.secret('b') !== undefined, 'the Secret')
  })
})
