import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { SpiffeId } from '../../shared/identity/index.ts'
import { createLogger, Sensitive } from '../../shared/log/index.ts'
import { type Certificate, spkiOf, verifyRenewalProof, verifySvid } from '../../shared/x509/index.ts'
import { FakeIssuer } from '../../test/fakes/authority.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import type { Volume } from '../volume/index.ts'
import {
  type IssuingPort,
  type IssuingProof,
  type IssuingRequest,
  isExpired,
  type Svid,
  WorkloadIdentities,
  type WorkloadIdentitiesOptions
} from './index.ts'
import { expiryOf } from './svid.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const TOKEN = 'eyJ-the-token-of-a-pod'

/** Wall-clock time that can jump while the machine goes on, as the system clock does: timers see both. */
class WallClock implements Clock {
  readonly machine = new FakeClock()
  readonly #timers = new Set<{ readonly deadline: number; readonly fire: () => void }>()
  #offset = 0

  now(): number {
    return this.machine.now() + this.#offset
  }

  after(delayMs: number, callback: () => void): () => void {
    const cancel = (): void => {
      this.#timers.delete(timer)
      cancelOnMachine()
    }
    const timer = {
      deadline: this.now() + delayMs,
      fire: () => {
        cancel()
        callback()
      }
    }
    const cancelOnMachine = this.machine.after(delayMs, timer.fire)
    this.#timers.add(timer)
    return cancel
  }

  jump(ms: number): void {
    this.#offset += ms
    for (const timer of [...this.#timers]) if (timer.deadline <= this.now()) timer.fire()
  }

  get pending(): number {
    return this.#timers.size
  }
}

class FakeVolumes {
  #current = new Map<string, Volume>()
  readonly #listeners = new Set<() => void>()

  current(): ReadonlyMap<string, Volume> {
    return this.#current
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  put(uid: string, change: { token?: string | undefined; serviceAccount?: string } = {}): void {
    const { token = TOKEN, serviceAccount = 'cart' } = { ...change }
    const pod = { uid, namespace: 'shop', name: `${uid}-name`, serviceAccount }
    const given = 'token' in change && change.token === undefined ? undefined : new Sensitive(token)
    const volume = { id: `csi-${uid}`, targetPath: '/nowhere', pod, token: given, attributes: {}, probes: [] }
    this.#set(new Map([...this.#current, [uid, volume]]))
  }

  remove(uid: string): void {
    this.#set(new Map([...this.#current].filter(([key]) => key !== uid)))
  }

  #set(next: Map<string, Volume>): void {
    this.#current = next
    for (const listener of this.#listeners) listener()
  }
}

class FakeStore {
  readonly saved = new Map<string, Svid>()
  failing = false

  owners(): readonly string[] {
    return [...this.saved.keys()]
  }

  file(podUid: string) {
    return {
      load: () => this.saved.get(podUid),
      forget: () => void this.saved.delete(podUid),
      save: (svid: Svid) => {
        if (this.failing) throw new Error('ENOSPC: no space left on device')
        this.saved.set(podUid, svid)
      }
    }
  }
}

/** An authority that checks proofs as the real one does, and can be down, refuse, or answer late or wrongly. */
class FakeAuthority implements IssuingPort {
  readonly requests: IssuingRequest[] = []
  readonly issued: Certificate[] = []
  readonly #issuer: FakeIssuer
  down = false
  refuses = new Set<IssuingProof['kind']>()
  answer: (request: IssuingRequest) => readonly Certificate[]
  held: PromiseWithResolvers<void> | undefined
  /** Goes on although its caller has given up. */
  deaf = false
  inFlight = 0
  mostInFlight = 0

  constructor(issuer: FakeIssuer) {
    this.#issuer = issuer
    this.answer = ({ csr, lifetimeMs }) => issuer.sign(csr, lifetimeMs)
  }

  get proofs(): readonly IssuingProof['kind'][] {
    return this.requests.map(({ proof }) => proof.kind)
  }

  async issue(request: IssuingRequest, signal: AbortSignal): Promise<readonly Certificate[]> {
    this.requests.push(request)
    this.inFlight += 1
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
    try {
      await (this.held && Promise.race([this.held.promise, ...(this.deaf ? [] : [aborted(signal)])]))
      if (this.down) throw new CountersignError('ERR_AUTHORITY_UNAVAILABLE', 'the authority is down')
      if (this.refuses.has(request.proof.kind) || !this.#isProven(request))
        throw new CountersignError('ERR_AUTHORITY_REFUSED', 'the authority refused')
      const chain = this.answer(request)
      this.issued.push(...chain.slice(0, 1))
      return chain
    } finally {
      this.inFlight -= 1
    }
  }

  #isProven({ proof, csr }: IssuingRequest): boolean {
    if (proof.kind === 'token') return proof.token.reveal().startsWith(TOKEN)
    try {
      verifySvid(proof.chain, [this.#issuer.bundle], this.#issuer.clock.now())
    } catch {
      return false
    }
    const key = proof.chain[0]?.publicKey
    return key !== undefined && verifyRenewalProof(key, csr, proof.signature)
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

// Reproducible, and spread evenly enough.
function newRandom(seed = 1): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

interface Line {
  readonly level: string
  readonly msg: string
  readonly err?: { readonly code: string; readonly message: string }
}

describe('the identities of pods', () => {
  let clock: WallClock
  let issuer: FakeIssuer
  let authority: FakeAuthority
  let volumes: FakeVolumes
  let store: FakeStore
  let identities: WorkloadIdentities
  let lines: string[]

  const open = (change: Partial<WorkloadIdentitiesOptions> = {}): WorkloadIdentities => {
    const destination = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      }
    })
    identities = new WorkloadIdentities({
      trustDomain: issuer.trustDomain,
      volumes,
      authority,
      store,
      verify: chain => void verifySvid(chain, [issuer.bundle], clock.now()),
      clock,
      random: newRandom(),
      log: createLogger('test', 'info', destination),
      ...change
    })
    identities.start()
    return identities
  }

  beforeEach(async () => {
    clock = new WallClock()
    issuer = await FakeIssuer.create({ clock })
    authority = new FakeAuthority(issuer)
    volumes = new FakeVolumes()
    store = new FakeStore()
    lines = []
  })

  afterEach(() => {
    identities.close()
    assert.equal(clock.pending, 0, 'a timer is left')
    assert.doesNotMatch(lines.join(''), new RegExp(`${TOKEN}|PRIVATE KEY`))
  })

  const logged = (): Line[] => lines.map(line => JSON.parse(line))
  const uids = (count: number): string[] => Array.from({ length: count }, (_, index) => `pod-${index}`)
  const svidOf = (uid = 'pod-0'): Svid => {
    const svid = identities.current(uid)
    assert.ok(svid, `${uid} has no certificate`)
    return svid
  }

  const until = async (condition: () => boolean): Promise<void> => {
    const deadline = Date.now() + 20_000
    while (!condition()) {
      assert.ok(Date.now() < deadline, lines.join(''))
      await turn()
    }
  }
  /** Until no request is under way. Waits for work, not for time. */
  const idle = (): Promise<void> => until(() => identities.requesting === 0)
  /** Lets time go by, in steps short enough that what falls due within one is not late by much. */
  const pass = async (total: number, step: number, look = (): void => {}): Promise<void> => {
    for (let passed = 0; passed < total; passed += step) {
      await clock.machine.advance(Math.min(step, total - passed))
      await idle()
      look()
    }
  }

  it('are asked for with the token of the volume, for the account that the kubelet reported', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    assert.deepEqual(authority.proofs, ['token'])
    assert.equal(authority.requests[0]?.podUid, 'pod-0')
    const { spiffeId, chain, privateKey } = svidOf()
    assert.equal(spiffeId.toString(), 'spiffe://mesh.test/ns/shop/sa/cart')
    assert.ok(createPublicKey(privateKey).equals(chain[0]?.publicKey ?? privateKey))
    assert.equal(privateKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  })

  it('come for a volume that appears later, and are told of when they are stored', async () => {
    open()
    const told: [string, boolean][] = []
    identities.subscribe(uid => told.push([uid, store.saved.get(uid) === identities.current(uid)]))
    volumes.put('pod-0')
    await idle()
    assert.deepEqual(told, [['pod-0', true]])
  })

  it('rotate for days without a gap: a new key and serial number each time, at about half of the life', async () => {
    for (const uid of uids(12)) volumes.put(uid)
    open()
    await idle()
    let before = new Map(identities.all())
    const shares: number[] = []
    await pass(15 * DAY, 5 * MINUTE, () => {
      const now = identities.all()
      for (const [uid, svid] of now) {
        const previous = before.get(uid)
        assert.ok(svid && previous)
        assert.ok(!isExpired(svid, clock.now()))
        if (svid !== previous)
          shares.push((svid.issuedAt - previous.issuedAt) / (expiryOf(previous) - previous.issuedAt))
      }
      before = new Map(now)
    })
    assert.ok(shares.length >= 300, `${shares.length} rotations`)
    for (const share of shares) assert.ok(share >= 0.45 && share <= 0.555, String(share))
    assert.ok(Math.max(...shares) - Math.min(...shares) > 0.08, 'they are spread')
    assert.equal(new Set(authority.issued.map(({ serialNumber }) => serialNumber)).size, authority.issued.length)
    const keys = authority.issued.map(({ publicKey }) => spkiOf(publicKey).toString('hex'))
    assert.equal(new Set(keys).size, keys.length)
    assert.equal(authority.proofs.filter(kind => kind === 'token').length, 12, 'tokens are needed once')
    for (const [uid, svid] of before) assert.equal(store.saved.get(uid), svid)
    assert.deepEqual(
      logged().filter(({ level }) => level !== 'info'),
      []
    )
  })

  it('have no gap when the authority is down for 0.4 of a life, whenever that begins', async () => {
    for (const uid of uids(4)) volumes.put(uid)
    open()
    await idle()
    const check = (): void => {
      for (const uid of uids(4)) assert.ok(!isExpired(svidOf(uid), clock.now()))
    }
    for (let round = 0; round < 4; round++) {
      authority.down = true
      await pass(0.4 * DAY, 5 * MINUTE, check)
      authority.down = false
      await pass(0.6 * DAY + round * 3 * HOUR, 5 * MINUTE, check)
    }
  })

  it('are kept when they expire, said to be so once, and replaced by the token when the authority is back', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    const first = svidOf()
    authority.down = true
    await pass(2 * DAY, 5 * MINUTE)
    assert.equal(svidOf(), first)
    assert.ok(isExpired(first, clock.now()))
    assert.equal(logged().filter(({ msg }) => msg.startsWith('certificate has expired')).length, 1)
    const errors = logged().filter(({ level }) => level === 'error' || level === 'warn')
    assert.ok(errors.length > 10 && errors.length < 60, `${errors.length} lines for two days`)
    authority.down = false
    authority.requests.length = 0
    await pass(MINUTE, SECOND)
    assert.notEqual(svidOf(), first)
    assert.deepEqual(authority.proofs.slice(0, 1), ['token'])
  })

  it('are renewed by the key alone when the volume has no token any more', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    volumes.put('pod-0', { token: undefined })
    await pass(DAY, 5 * MINUTE)
    assert.deepEqual([...new Set(authority.proofs.slice(1))], ['renewal'])
    assert.ok(authority.proofs.length > 1)
  })

  it('fall back to the token in the same try when the renewal is refused', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    const first = svidOf()
    authority.refuses.add('renewal')
    await pass(0.56 * DAY, 5 * MINUTE)
    assert.notEqual(svidOf(), first)
    assert.deepEqual(authority.proofs, ['token', 'renewal', 'token'])
  })

  it('fall back to a key that looks expired when the token is refused, for it may be the clock that is wrong', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    authority.refuses.add('token').add('renewal')
    authority.requests.length = 0
    clock.jump(25 * HOUR)
    await idle()
    assert.deepEqual(authority.proofs, ['token', 'renewal'])
  })

  it('do not try the token when the authority is down: it would not help', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    authority.down = true
    await pass(0.56 * DAY, 5 * MINUTE)
    assert.deepEqual([...new Set(authority.proofs.slice(1))], ['renewal'])
  })

  it('wait for a token where there is nothing else, and come soon after it', async () => {
    volumes.put('pod-0', { token: undefined })
    open()
    await pass(10 * MINUTE, 10 * SECOND)
    assert.equal(identities.current('pod-0'), undefined)
    assert.equal(authority.requests.length, 0)
    assert.equal(logged()[0]?.err?.code, 'ERR_VOLUME_INVALID')
    volumes.put('pod-0')
    await pass(200, 100)
    svidOf()
  })

  it('use the token of the newest record', async () => {
    authority.down = true
    volumes.put('pod-0')
    open()
    await idle()
    authority.down = false
    volumes.put('pod-0', { token: `${TOKEN}-refreshed` })
    await pass(200, 100)
    const { proof } = authority.requests.at(-1) ?? {}
    assert.ok(proof?.kind === 'token')
    assert.equal(proof.token.reveal(), `${TOKEN}-refreshed`)
  })

  it('are not asked for again because a token was refreshed', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    for (let minute = 0; minute < 60; minute++) {
      volumes.put('pod-0', { token: `${TOKEN}-${minute}` })
      await pass(MINUTE, 30 * SECOND)
    }
    assert.equal(authority.requests.length, 1)
  })

  it('are asked for soon when told that the authority is there again, and not otherwise', async () => {
    volumes.put('pod-0')
    authority.down = true
    open({ random: () => 0.999 })
    await pass(10 * MINUTE, 10 * SECOND)
    authority.down = false
    const asked = authority.requests.length
    identities.hurry()
    await pass(200, 100)
    assert.equal(authority.requests.length, asked + 1)
    identities.hurry()
    await pass(MINUTE, SECOND)
    assert.equal(authority.requests.length, asked + 1)
  })

  describe('are not replaced by an answer', () => {
    const wrong: Record<string, (request: IssuingRequest) => readonly Certificate[]> = {
      'that is empty': () => [],
      'for another account': ({ csr }) => [...issuer.sign(csr)].map(leaf => forAdmin(leaf)),
      'that has expired': ({ csr }) => issuer.sign(csr, -1_000),
      'that leads to no trusted root': ({ csr }) => stranger.sign(csr),
      'that repeats the current one': () => svidOf().chain
    }
    let stranger: FakeIssuer
    const forAdmin = ({ publicKey }: Certificate): Certificate => {
      const admin = SpiffeId.workload(issuer.trustDomain, 'shop', 'admin')
      return issuer.certify(admin, spkiOf(publicKey))[0] as Certificate
    }
    beforeEach(async () => {
      stranger = await FakeIssuer.create({ clock })
    })
    for (const [title, answer] of Object.entries(wrong))
      it(title, async () => {
        volumes.put('pod-0')
        open()
        await idle()
        const first = svidOf()
        const right = authority.answer
        authority.answer = answer
        await pass(0.6 * DAY, 5 * MINUTE)
        assert.equal(svidOf(), first)
        assert.equal(store.saved.get('pod-0'), first)
        assert.equal(logged().at(-1)?.err?.code, 'ERR_CERTIFICATE_INVALID')
        authority.answer = right
        await pass(5 * MINUTE, 10 * SECOND)
        assert.notEqual(svidOf(), first)
      })
  })

  it('are forgotten with their volume: no key, no file, no timer, no request', async () => {
    volumes.put('pod-0')
    volumes.put('pod-1')
    open()
    await idle()
    const told: string[] = []
    identities.subscribe(uid => told.push(uid))
    volumes.remove('pod-0')
    assert.equal(identities.current('pod-0'), undefined)
    assert.deepEqual([...store.saved.keys()], ['pod-1'])
    assert.deepEqual(told, ['pod-0'])
    assert.equal(clock.pending, 1)
    await pass(2 * DAY, HOUR)
    assert.ok(authority.requests.filter(({ podUid }) => podUid === 'pod-0').length === 1)
  })

  it('end the request of a pod that goes', async () => {
    authority.held = Promise.withResolvers()
    volumes.put('pod-0')
    open()
    await until(() => authority.inFlight > 0)
    volumes.remove('pod-0')
    await until(() => authority.inFlight === 0)
    authority.held.resolve()
    for (let turns = 0; turns < 10; turns++) await turn()
    assert.equal(store.saved.size, 0)
    assert.equal(identities.requesting, 0)
    assert.equal(clock.pending, 0)
    assert.equal(logged().filter(({ level }) => level !== 'info').length, 0)
  })

  it('take nothing that comes after the pod has gone, an answer or a refusal', async () => {
    for (const down of [false, true]) {
      authority.held = Promise.withResolvers()
      Object.assign(authority, { deaf: true, down })
      volumes.put('pod-0')
      open()
      await until(() => authority.inFlight > 0)
      volumes.remove('pod-0')
      authority.held.resolve()
      await until(() => authority.inFlight === 0)
      for (let turns = 0; turns < 10; turns++) await turn()
      assert.equal(identities.current('pod-0'), undefined)
      assert.equal(store.saved.size, 0)
      assert.equal(clock.pending, 0)
      identities.close()
    }
  })

  it('begin anew when the record of a pod names another account', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    volumes.put('pod-0', { serviceAccount: 'admin' })
    await idle()
    assert.equal(svidOf().spiffeId.toString(), 'spiffe://mesh.test/ns/shop/sa/admin')
    assert.deepEqual(authority.proofs, ['token', 'token'])
  })

  it('are there at once after a restart, without the authority, and keep their time to renew', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    const first = svidOf()
    identities.close()
    await pass(0.3 * DAY, HOUR)
    authority.down = true
    open()
    assert.equal(svidOf(), first)
    await pass(0.14 * DAY, 5 * MINUTE)
    assert.equal(authority.requests.length, 1)
    authority.down = false
    await pass(0.12 * DAY, 5 * MINUTE)
    assert.notEqual(svidOf(), first)
  })

  it('are asked for anew after a restart when what was stored has expired', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    identities.close()
    await pass(1.1 * DAY, HOUR)
    authority.requests.length = 0
    open()
    assert.equal(identities.current('pod-0'), undefined)
    await idle()
    assert.deepEqual(authority.proofs, ['token'])
    svidOf()
  })

  it('are asked for anew after a restart when what was stored is for another account', async () => {
    volumes.put('pod-0', { serviceAccount: 'admin' })
    open()
    await idle()
    identities.close()
    volumes.put('pod-0', { serviceAccount: 'cart' })
    open()
    assert.equal(identities.current('pod-0'), undefined)
    await idle()
    assert.equal(svidOf().spiffeId.toString(), 'spiffe://mesh.test/ns/shop/sa/cart')
  })

  it('of pods that went while the agent was away are forgotten when it starts', async () => {
    volumes.put('pod-0')
    volumes.put('pod-1')
    open()
    await idle()
    identities.close()
    volumes.remove('pod-1')
    open()
    assert.deepEqual([...store.saved.keys()], ['pod-0'])
  })

  it('are served although they cannot be stored', async () => {
    store.failing = true
    volumes.put('pod-0')
    open()
    await idle()
    svidOf()
    assert.ok(logged().some(({ level, msg }) => level === 'error' && msg.includes('cannot be stored')))
  })

  it('work with a life of 30 seconds', async () => {
    for (const uid of uids(5)) volumes.put(uid)
    open({ lifetimeMs: 30 * SECOND })
    await idle()
    const check = (): void => {
      for (const uid of uids(5)) assert.ok(!isExpired(svidOf(uid), clock.now()))
    }
    await pass(5 * MINUTE, 250, check)
    assert.ok(authority.issued.length >= 5 * 18, `${authority.issued.length} certificates`)
    assert.ok(authority.requests.every(({ lifetimeMs }) => lifetimeMs === 30 * SECOND))
    authority.down = true
    await pass(12 * SECOND, 250, check)
    authority.down = false
    await pass(MINUTE, 250, check)
  })

  for (const lifetimeMs of [30 * SECOND, HOUR, DAY])
    it(`of ${lifetimeMs / 1_000} s survive a clock that is set forward and back by an hour`, async () => {
      volumes.put('pod-0')
      open({ lifetimeMs })
      await idle()
      for (const jump of [HOUR, -HOUR, -HOUR, HOUR]) {
        clock.jump(jump)
        // Set back, it is seen when the certificate's half-life is over; set forward, at once.
        await pass(0.56 * lifetimeMs, lifetimeMs / 100)
        assert.ok(!isExpired(svidOf(), clock.now()), `after ${jump}`)
        const life = expiryOf(svidOf()) - clock.now()
        assert.ok(
          life <= lifetimeMs + HOUR && life <= Math.max(lifetimeMs * 1.06, lifetimeMs + HOUR),
          `${life} ms are left`
        )
        if (lifetimeMs < HOUR)
          assert.ok(life <= lifetimeMs, 'a short life is not made long by a clock that was set back')
      }
    })

  it('are renewed as soon as a machine wakes up that slept past their end', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    const first = svidOf()
    clock.jump(3 * DAY)
    await idle()
    assert.notEqual(svidOf(), first)
    assert.ok(!isExpired(svidOf(), clock.now()))
    assert.deepEqual(authority.proofs, ['token', 'token'])
  })

  it('are asked for 16 at a time', async () => {
    authority.held = Promise.withResolvers()
    for (const uid of uids(60)) volumes.put(uid)
    open()
    await until(() => authority.inFlight >= 16)
    for (let turns = 0; turns < 20; turns++) await turn()
    assert.equal(authority.inFlight, 16)
    assert.equal(identities.requesting, 60)
    authority.held.resolve()
    await idle()
    assert.equal(authority.mostInFlight, 16)
    assert.equal([...identities.all().values()].filter(svid => svid !== undefined).length, 60)
  })

  it('are renewed soon, by the token first, when the roots change so that they lead to none, and kept until then', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    const first = svidOf()
    identities.recheck()
    await pass(HOUR, MINUTE)
    assert.equal(svidOf(), first, 'nothing is lost, so nothing is renewed')
    authority.requests.length = 0
    await issuer.replaceRoot()
    identities.recheck()
    assert.equal(svidOf(), first)
    await pass(30 * SECOND, SECOND)
    assert.deepEqual(authority.proofs, ['token'])
    assert.notEqual(svidOf(), first)
  })

  it('that were stored and lead to no trusted root are served after a restart until there is another', async () => {
    volumes.put('pod-0')
    open()
    await idle()
    const first = svidOf()
    identities.close()
    await issuer.replaceRoot()
    authority.down = true
    open()
    assert.equal(svidOf(), first)
    await pass(5 * MINUTE, SECOND)
    assert.equal(svidOf(), first)
    authority.down = false
    await pass(MINUTE, SECOND)
    assert.notEqual(svidOf(), first)
  })

  it('tell an observer what became of each try', async () => {
    const seen: string[] = []
    volumes.put('pod-0')
    authority.refuses.add('token')
    open({
      observer: {
        issued: durationMs => seen.push(durationMs >= 0 ? 'issued' : 'no time'),
        failed: code => seen.push(code)
      }
    })
    await idle()
    authority.refuses.clear()
    identities.hurry()
    await pass(200, 100)
    assert.deepEqual(seen, ['ERR_AUTHORITY_REFUSED', 'issued'])
  })

  it('make a key for each request, so that one that was refused is never certified', async () => {
    volumes.put('pod-0')
    authority.down = true
    open()
    await pass(10 * MINUTE, SECOND)
    const requests = authority.requests.map(({ csr }) => csr.toString('hex'))
    assert.ok(requests.length > 10)
    assert.equal(new Set(requests).size, requests.length)
  })
})
