import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { SpiffeId } from '../../shared/identity/index.ts'
import { createLogger, type Logger, Sensitive } from '../../shared/log/index.ts'
import { ServiceSchema, WorkloadSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  createCertificateRequest,
  generateKeyPair,
  signRenewalProof,
  spkiOf,
  toPem,
  verifySvid
} from '../../shared/x509/index.ts'
import { createResource } from '../../shared/xds/index.ts'
import { FakeAuthority, FakeIssuer } from '../../test/fakes/authority.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { StateFolder } from '../state/index.ts'
import { AuthorityLink, BundleFile } from './index.ts'

const SECOND = 1_000
const HOUR = 3_600_000
const never = new AbortController().signal

const workload = createResource(WorkloadSchema, 'uid-1', {
  uid: 'uid-1',
  namespace: 'shop',
  name: 'cart-1',
  serviceAccount: 'cart',
  addresses: ['10.0.0.1'],
  mode: 3
})
const service = (name: string, address = '10.96.0.1') =>
  createResource(ServiceSchema, `shop/${name}`, { namespace: 'shop', name, addresses: [address] })

describe('the link to the authority', () => {
  let folder: string
  let clock: FakeClock
  let issuer: FakeIssuer
  let authority: FakeAuthority
  let lines: string[]
  let log: Logger
  let bundle: BundleFile
  let link: AuthorityLink
  const closing: (() => void)[] = []

  const tokenPath = (): string => join(folder, 'token')
  const bundlePath = (): string => join(folder, 'bundle.pem')
  const state = (): StateFolder => new StateFolder(join(folder, 'state'), log)
  const logged = (): { level: string; msg: string; err?: { code: string; message: string } }[] =>
    lines.map(line => JSON.parse(line))

  /** A link as an agent that starts has it. */
  const open = (address = authority.address): AuthorityLink => {
    const common = { trustDomain: issuer.trustDomain, clock, log }
    const file = new BundleFile({ ...common, path: bundlePath() })
    bundle = file
    bundle.start()
    const { agent, mesh } = state()
    const opened = new AuthorityLink({
      ...common,
      address,
      node: 'node-1',
      tokenPath: tokenPath(),
      bundle,
      state: { agent, mesh },
      random: () => 0.5
    })
    link = opened
    link.start()
    closing.push(() => {
      opened.close()
      file.close()
    })
    return link
  }
  const closeAll = (): void => {
    for (const close of closing.splice(0)) close()
  }
  const restart = (): AuthorityLink => {
    closeAll()
    return open()
  }

  /** Until `condition` holds. Real sockets need real time; the clock moves only where `step` says so. */
  const until = async (condition: () => boolean, what: string, step?: number): Promise<void> => {
    const deadline = Date.now() + 20_000
    while (!condition()) {
      assert.ok(Date.now() < deadline, `${what} did not happen; log: ${lines.join('')}`)
      if (step !== undefined) await clock.advance(step)
      await pause(2)
    }
  }
  const streaming = (): Promise<void> => until(() => link.mesh.connected && link.mesh.current().synced, 'a stream', 50)

  const requestFor = async (account = 'cart') => {
    const keys = await generateKeyPair()
    const spiffeId = SpiffeId.workload(issuer.trustDomain, 'shop', account)
    return { keys, spiffeId, csr: createCertificateRequest(keys, spiffeId) }
  }
  const byToken = { kind: 'token', token: new Sensitive('token-of-the-pod') } as const

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-link-'))
    // Near the real time, by which OpenSSL judges the certificate of the server.
    clock = new FakeClock(Date.now())
    lines = []
    const destination = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      }
    })
    log = createLogger('test', 'info', destination)
    issuer = await FakeIssuer.create({ clock, lifetimeMs: 24 * HOUR })
    authority = await FakeAuthority.start({ issuer, log })
    authority.publish([workload, service('cart')])
    writeFileSync(tokenPath(), 'token-of-the-agent\n')
    writeFileSync(bundlePath(), toPem(issuer.bundle.roots))
  })

  afterEach(() => {
    closeAll()
    authority.down()
    rmSync(folder, { recursive: true })
    assert.doesNotMatch(lines.join(''), /token-of-the|PRIVATE KEY/)
  })

  it('starts with the token of the agent, and is mutually authenticated from then on', async () => {
    open()
    await streaming()
    assert.deepEqual(authority.requests, ['agent by token'])
    assert.equal(link.identity.current()?.spiffeId.toString(), 'spiffe://mesh.test/countersign/agent/node-1')
    assert.ok(authority.peers.includes('agent:node-1'))
  })

  it('renews the SVID of the agent by that SVID, and connects anew with the next one', async () => {
    open()
    await streaming()
    const first = link.identity.current()
    const streams = authority.openings.length
    await clock.advance(12 * HOUR)
    await until(() => link.identity.current() !== first, 'a renewal')
    assert.deepEqual(authority.requests, ['agent by token', 'agent by certificate'])
    await until(() => authority.openings.length > streams, 'another stream', 50)
    await streaming()
  })

  it('falls back to the token when the SVID is refused', async () => {
    open()
    await streaming()
    const first = link.identity.current()
    authority.refuses.add('agent by certificate')
    await clock.advance(12 * HOUR)
    await until(() => link.identity.current() !== first, 'a renewal')
    assert.deepEqual(authority.requests, ['agent by token', 'agent by certificate', 'agent by token'])
  })

  it('keeps the SVID over a restart and asks for nothing', async () => {
    open()
    await streaming()
    const first = link.identity.current()
    restart()
    assert.equal(link.identity.current()?.chain[0]?.serialNumber, first?.chain[0]?.serialNumber)
    await streaming()
    assert.deepEqual(authority.requests, ['agent by token'])
  })

  it('reads the token anew for each try, and says what is wrong with the file', async () => {
    rmSync(tokenPath())
    open()
    const said = (text: RegExp) => () =>
      logged().some(({ err }) => err?.code === 'ERR_FILE_INVALID' && text.test(err.message))
    await until(said(/token file .* cannot be read/), 'a complaint')
    writeFileSync(tokenPath(), '\n')
    await until(said(/token file .* is empty/), 'another complaint', 50)
    writeFileSync(tokenPath(), 'token-of-the-agent')
    await until(() => link.identity.current() !== undefined, 'an SVID', 50)
    assert.deepEqual(authority.requests, ['agent by token'])
  })

  it('waits for the trust bundle, and goes on as soon as it is there', async () => {
    rmSync(bundlePath())
    open()
    await until(() => logged().some(({ err }) => err?.message.includes('no trust bundle') ?? false), 'a complaint')
    assert.deepEqual(authority.requests, [])
    writeFileSync(bundlePath(), toPem(issuer.bundle.roots))
    await until(() => link.identity.current() !== undefined, 'an SVID', 50)
  })

  describe('shows nothing to a server that', () => {
    const impostors: Record<string, () => Promise<FakeAuthority>> = {
      'is a workload of the mesh': () =>
        FakeAuthority.start({ issuer, log, spiffeId: SpiffeId.workload(issuer.trustDomain, 'shop', 'cart') }),
      'is an agent of the mesh': () =>
        FakeAuthority.start({ issuer, log, spiffeId: SpiffeId.agent(issuer.trustDomain, 'node-1') }),
      'calls itself the authority under another root': async () =>
        FakeAuthority.start({ issuer: await FakeIssuer.create({ clock }), log }),
      'is the authority of another trust domain': async () =>
        FakeAuthority.start({ issuer: await FakeIssuer.create({ clock, trustDomain: 'other.test' }), log })
    }
    for (const [title, start] of Object.entries(impostors))
      it(title, async () => {
        const impostor = await start()
        try {
          open(impostor.address)
          await until(() => logged().some(({ err }) => err?.code === 'ERR_AUTHORITY_UNAVAILABLE'), 'a refusal')
          for (let round = 0; round < 3; round++) await clock.advance(SECOND)
          assert.equal(link.identity.current(), undefined)
          assert.deepEqual(impostor.requests, [])
        } finally {
          impostor.down()
        }
      })
  })

  describe('for pods', () => {
    it('has certificates signed by their token and by their key', async () => {
      open()
      const { keys, csr, spiffeId } = await requestFor()
      const chain = await link.issuing.issue({ csr, podUid: 'uid-1', proof: byToken }, never)
      assert.ok(verifySvid(chain, [issuer.bundle], clock.now()).equals(spiffeId))

      const next = await requestFor()
      const signature = signRenewalProof(keys.privateKey, next.csr)
      const proof = { kind: 'renewal', chain, signature } as const
      const successor = await link.issuing.issue({ csr: next.csr, podUid: 'uid-1', proof, lifetimeMs: 30_500 }, never)
      assert.equal(successor[0]?.publicKey.equals(next.keys.publicKey), true)
      assert.deepEqual(authority.requests, ['agent by token', 'workload by token', 'workload by renewal'])
      assert.deepEqual(
        authority.workloadRequests.map(({ podUid, lifetime }) => [podUid, lifetime?.seconds, lifetime?.nanos]),
        [
          ['uid-1', undefined, undefined],
          ['uid-1', 30n, 500_000_000]
        ]
      )
    })

    it('says refused when it is refused, and unavailable when there is nobody', async () => {
      open()
      await streaming()
      const { csr } = await requestFor()
      authority.refuses.add('workload by token')
      const request = { csr, podUid: 'uid-1', proof: byToken }
      await assert.rejects(link.issuing.issue(request, never), { code: 'ERR_AUTHORITY_REFUSED' })
      authority.down()
      await assert.rejects(link.issuing.issue(request, never), { code: 'ERR_AUTHORITY_UNAVAILABLE' })
    })

    it('waits for the SVID of the agent, for as long as a call may take', async () => {
      rmSync(tokenPath())
      open()
      const { csr } = await requestFor()
      const request = { csr, podUid: 'uid-1', proof: byToken }
      const tooLate = link.issuing.issue(request, never)
      const rejected = assert.rejects(tooLate, {
        code: 'ERR_AUTHORITY_UNAVAILABLE',
        message: /no certificate of its own/
      })
      await clock.advance(10 * SECOND)
      await rejected

      const inTime = link.issuing.issue(request, never)
      writeFileSync(tokenPath(), 'token-of-the-agent')
      link.identity.hurry()
      await clock.advance(SECOND)
      assert.equal((await inTime).length, 1)
    })

    it('ends a call as soon as it is not wanted any more, before it began and after', async () => {
      open()
      await streaming()
      const { csr } = await requestFor()
      const request = { csr, podUid: 'uid-1', proof: byToken }
      await assert.rejects(link.issuing.issue(request, AbortSignal.abort()))
      authority.ignores.add('workload by token')
      const abort = new AbortController()
      const call = link.issuing.issue(request, abort.signal)
      await until(() => authority.requests.includes('workload by token'), 'the call')
      abort.abort()
      await assert.rejects(call)
    })

    it('finishes a call on the old connection when the SVID of the agent is replaced', async () => {
      open()
      await streaming()
      const { csr } = await requestFor()
      authority.ignores.add('workload by token')
      const abort = new AbortController()
      let settled = false
      const call = link.issuing.issue({ csr, podUid: 'uid-1', proof: byToken }, abort.signal)
      const ended = call
        .catch(() => {})
        .finally(() => {
          settled = true
        })
      await until(() => authority.requests.includes('workload by token'), 'the call')
      const first = link.identity.current()
      await clock.advance(12 * HOUR)
      await until(() => link.identity.current() !== first, 'a renewal')
      authority.ignores.clear()
      assert.equal((await link.issuing.issue({ csr, podUid: 'uid-1', proof: byToken }, never)).length, 1)
      assert.equal(settled, false, 'the call on the old connection still waits for its answer')
      abort.abort()
      await ended
    })

    it('says when it is worth trying again', async () => {
      rmSync(tokenPath())
      open()
      let available = 0
      link.onAvailable(() => {
        available += 1
      })
      assert.equal(available, 0)
      writeFileSync(tokenPath(), 'token-of-the-agent')
      await streaming()
      assert.ok(available >= 2, 'when there is a channel, and when the authority is heard')
      const before = available
      authority.down()
      await until(() => !link.mesh.connected, 'the loss')
      await authority.up()
      await streaming()
      assert.ok(available > before)
    })
  })

  it('reports unknown keys to the replica that the mesh state comes from', async () => {
    open()
    await assert.rejects(link.unknownKeys.report('uid-1'), { code: 'ERR_AUTHORITY_UNAVAILABLE' })
    await streaming()
    const connections = (): number => authority.peers.filter(peer => peer.startsWith('agent:')).length
    const before = connections()
    await link.unknownKeys.report('uid-1')
    assert.deepEqual(authority.unknownKeys, ['uid-1'])
    assert.equal(connections(), before, 'over the connection that there is')
    authority.down()
    await until(() => !link.mesh.connected, 'the loss')
    await assert.rejects(link.unknownKeys.report('uid-1'), { code: 'ERR_AUTHORITY_UNAVAILABLE' })
  })

  describe('carries the mesh state', () => {
    it('which is frozen, complete when all of it was heard, and follows what changes', async () => {
      open()
      const changes: string[][] = []
      link.mesh.subscribe(() => changes.push([...link.mesh.current().services.keys()]))
      assert.deepEqual(link.mesh.current().synced, false)
      await streaming()
      const state = link.mesh.current()
      assert.ok(Object.isFrozen(state))
      assert.equal(state.mesh?.trustDomain, 'mesh.test')
      assert.equal(state.workloads.get('uid-1')?.serviceAccount, 'cart')
      assert.deepEqual([...state.endpoints], [])

      authority.publish([workload, service('cart', '10.96.0.9'), service('pay')])
      await until(() => link.mesh.current().services.size === 2, 'an addition')
      assert.deepEqual(link.mesh.current().services.get('shop/cart')?.addresses, ['10.96.0.9'])
      assert.deepEqual([...state.services.keys()], ['shop/cart'], 'an earlier state stays as it was')
      assert.equal(link.mesh.current().workloads, state.workloads, 'what did not change is the same object')
      authority.publish([workload, service('pay')])
      await until(() => !link.mesh.current().services.has('shop/cart'), 'a removal')
      assert.ok(changes.length >= 3)
    })

    it('which is not complete while a type is withheld', async () => {
      authority.mesh.set({ 'type.googleapis.com/countersign.mesh.v1.Endpoints': undefined })
      open()
      await until(() => link.mesh.current().services.size === 1, 'a service')
      assert.equal(link.mesh.current().synced, false)
      await clock.advance(2 * SECOND)
      closeAll()
      authority.down()
      open()
      assert.equal(link.mesh.current().mesh, undefined, 'what was not complete was not kept')
    })

    it('which is there after a restart without the authority', async () => {
      open()
      await streaming()
      await clock.advance(SECOND)
      authority.down()
      restart()
      const restored = link.mesh.current()
      assert.equal(restored.synced, true)
      assert.equal(link.mesh.connected, false)
      assert.equal(link.mesh.ageMs, undefined)
      assert.equal(restored.mesh?.clusterDomain, 'cluster.local')
      assert.deepEqual([...restored.workloads.keys()], ['uid-1'])
      assert.deepEqual([...restored.services.keys()], ['shop/cart'])
      assert.deepEqual(
        link.trust.bundles().map(({ trustDomain, roots }) => [trustDomain, roots.length]),
        [['mesh.test', 1]]
      )
    })

    it('which is not sent again when it is the same', async () => {
      open()
      await streaming()
      await clock.advance(SECOND)
      authority.openings.length = 0
      restart()
      await until(() => authority.openings.length === 6, 'a request for each type', 50)
      const versions = Object.assign({}, ...authority.openings.map(opening => opening.versions))
      assert.deepEqual(versions, {
        mesh: authority.mesh.current().types.get('type.googleapis.com/countersign.mesh.v1.Mesh')?.get('mesh')?.version,
        'uid-1': workload.version,
        'shop/cart': service('cart').version
      })
    })

    it('which is kept when the agent ends, however short ago it changed', async () => {
      open()
      await streaming()
      authority.publish([workload, service('cart'), service('pay')])
      await until(() => link.mesh.current().services.size === 2, 'an addition')
      authority.down()
      restart()
      assert.deepEqual([...link.mesh.current().services.keys()], ['shop/cart', 'shop/pay'])
    })

    it('which goes on where the authority comes back', async () => {
      open()
      await streaming()
      assert.equal(link.mesh.ageMs, 0)
      authority.down()
      await until(() => !link.mesh.connected, 'the loss')
      const before = link.mesh.current()
      await clock.advance(5 * SECOND)
      assert.ok((link.mesh.ageMs ?? 0) >= 5 * SECOND)
      assert.equal(link.mesh.current(), before)
      authority.publish([workload])
      await authority.up()
      await streaming()
      await until(() => link.mesh.current().services.size === 0, 'what changed meanwhile')
      assert.equal(link.mesh.ageMs, 0)
    })

    it('of which it refuses what cannot be used, and keeps the rest', async () => {
      open()
      await streaming()
      authority.publish([workload, service('cart', 'not-an-address'), service('pay')])
      await until(() => authority.rejections.length > 0, 'a refusal')
      assert.match(
        authority.rejections[0] ?? '',
        /^shop\/cart: addresses: expected IP addresses, got "not-an-address"$/
      )
      const { services } = link.mesh.current()
      assert.deepEqual(services.get('shop/cart')?.addresses, ['10.96.0.1'])
      assert.ok(services.has('shop/pay'))
    })

    it('whose roots count from then on, those of the file before', async () => {
      const other = await FakeIssuer.create({ clock, trustDomain: 'other.test' })
      open()
      assert.deepEqual(
        link.trust.bundles().map(({ trustDomain }) => trustDomain),
        ['mesh.test']
      )
      await streaming()
      authority.publish([workload], [issuer.bundle, other.bundle])
      await until(() => link.trust.bundles().length === 2, 'another bundle')
      const { keys } = await requestFor()
      link.trust.verify(other.certify(SpiffeId.workload(other.trustDomain, 'shop', 'cart'), spkiOf(keys.publicKey)))
    })
  })

  describe('when the root changes', () => {
    it('step by step, connects anew with the roots that there are, and never loses its SVID', async () => {
      open()
      await streaming()
      const old = issuer.bundle
      await issuer.replaceRoot()
      const both = { trustDomain: issuer.trustDomain, roots: [...old.roots, ...issuer.bundle.roots] }
      authority.publish([workload], [both])
      await until(() => link.trust.authorityBundle()?.roots.length === 2, 'both roots')
      // The authority restarts and presents itself under the new root; the file still has the old one.
      authority.down()
      await authority.up()
      await until(() => authority.requests.length > 1, 'a renewal by the token', SECOND)
      await streaming()
      assert.equal(authority.requests.at(-1), 'agent by token')
      assert.ok(link.identity.current())
    })

    it('while the agent is away, believes the file although it kept a mesh state of the old root', async () => {
      open()
      await streaming()
      await clock.advance(SECOND)
      closeAll()
      authority.down()
      await issuer.replaceRoot()
      authority.publish([workload])
      writeFileSync(bundlePath(), toPem(issuer.bundle.roots))
      await authority.up()
      open()
      await until(() => link.mesh.connected, 'a stream', SECOND)
      assert.deepEqual(authority.requests, ['agent by token', 'agent by token'])
      assert.deepEqual(
        link.trust.bundles().map(({ roots }) => roots[0]?.serialNumber),
        issuer.bundle.roots.map(({ serialNumber }) => serialNumber)
      )
    })

    it('in the file alone, renews its SVID by the token when that leads to no root any more', async () => {
      authority.mesh.set({ 'type.googleapis.com/countersign.mesh.v1.Mesh': undefined })
      open()
      await until(() => link.identity.current() !== undefined, 'an SVID')
      assert.equal(link.mesh.current().mesh, undefined)
      const first = link.identity.current()
      await issuer.replaceRoot()
      authority.down()
      await authority.up()
      writeFileSync(bundlePath(), toPem(issuer.bundle.roots))
      await until(() => link.identity.current() !== first, 'another SVID', SECOND)
      assert.equal(authority.requests.at(-1), 'agent by token')
    })
  })
})
