import assert from 'node:assert/strict'
import { connect as connectTcp } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { type ConnectionOptions, connect as connectRaw, type TLSSocket } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import type { Client } from '@grpc/grpc-js'
import { eventually } from '../../test/eventually.ts'
import { FakeIssuer } from '../../test/fakes/authority.ts'
import { systemClock } from '../clock/index.ts'
import { CountersignError } from '../errors/index.ts'
import { SpiffeId } from '../identity/index.ts'
import { createLogger, type Logger } from '../log/index.ts'
import { DiscoveryRequestSchema } from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { generateKeyPair, parseCertificate, privateKeyToPem, spkiOf, toPem, verifySvid } from '../x509/index.ts'
import {
  AUTHORITY_SERVER_OPTIONS,
  bidiTransport,
  connectTls,
  InjectedServer,
  listenTls,
  type ServingCredentials,
  type TlsListener,
  unaryCall
} from './index.ts'
import { addEchoService, FETCH, STREAM } from './rpc.test-support.ts'

const REQUEST = create(DiscoveryRequestSchema)

async function svid(issuer: FakeIssuer, id: SpiffeId, lifetimeMs?: number): Promise<ServingCredentials> {
  const { privateKey, publicKey } = await generateKeyPair()
  return { key: privateKeyToPem(privateKey), cert: toPem(issuer.certify(id, spkiOf(publicKey), lifetimeMs)) }
}

describe('gRPC over mutual TLS', () => {
  let issuer: FakeIssuer
  let stranger: FakeIssuer
  let authority: SpiffeId
  let agent: SpiffeId
  let serving: ServingCredentials
  let server: InjectedServer
  let listener: TlsListener
  let replaced: () => void
  let lines: string[]
  let log: Logger
  const clients: Client[] = []
  const sockets: { destroy(): void }[] = []

  before(async () => {
    issuer = await FakeIssuer.create({ clock: systemClock })
    stranger = await FakeIssuer.create({ clock: systemClock })
    authority = SpiffeId.authority(issuer.trustDomain)
    agent = SpiffeId.agent(issuer.trustDomain, 'node-a')
  })

  const serve = async (options: { maxConnections?: number; handshakeTimeoutMs?: number } = {}): Promise<void> => {
    lines = []
    log = createLogger('test', 'debug', { write: line => lines.push(line) })
    serving = await svid(issuer, authority)
    server = new InjectedServer(AUTHORITY_SERVER_OPTIONS)
    addEchoService(server)
    listener = await listenTls({
      address: '127.0.0.1:0',
      credentials: {
        current: () => serving,
        subscribe: callback => {
          replaced = callback
          return () => {
            replaced = () => {}
          }
        }
      },
      identify: chain => {
        if (chain.length === 0) return 'nobody'
        const id = verifySvid(chain.map(parseCertificate), [issuer.bundle], Date.now())
        return id.subject.kind === 'agent' ? `agent:${id.subject.node}` : undefined
      },
      server,
      log,
      ...options
    })
  }
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    for (const socket of sockets.splice(0)) socket.destroy()
    listener.close()
    server.close()
    await eventually(() => server.peers.length === 0, 'all connections are gone')
  })
  after(() => assert.equal(sockets.length + clients.length, 0))

  const client = (
    options: {
      identity?: ServingCredentials
      roots?: string
      expected?: SpiffeId
      seen?: (chain: readonly Buffer[]) => void
    } = {}
  ): Client => {
    const { identity, roots = toPem(issuer.bundle.roots), expected = authority, seen } = options
    const made = connectTls({
      address: `127.0.0.1:${listener.port}`,
      roots,
      identity,
      verifyServer: chain => {
        seen?.(chain)
        const id = verifySvid(chain.map(parseCertificate), [issuer.bundle], Date.now())
        if (!id.equals(expected))
          throw new CountersignError('ERR_CERTIFICATE_INVALID', `server is ${id}, expected ${expected}`)
      }
    })
    clients.push(made)
    return made
  }
  const ask = (of: Client): Promise<string> =>
    unaryCall(of, FETCH, REQUEST, { timeoutMs: 30_000 }).then(({ versionInfo }) => versionInfo)
  const raw = (options: ConnectionOptions): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = connectRaw({ port: listener.port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
      sockets.push(socket)
      socket.once('secureConnect', () => resolve(socket))
      socket.on('error', reject)
    })

  it('names the peer after the identity in its certificate', async () => {
    await serve()
    const other = SpiffeId.agent(issuer.trustDomain, 'node-b')
    assert.equal(await ask(client({ identity: await svid(issuer, agent) })), 'agent:node-a')
    assert.equal(await ask(client({ identity: await svid(issuer, other) })), 'agent:node-b')
    assert.deepEqual([...server.peers].sort(), ['agent:node-a', 'agent:node-b'])
  })

  it('lets a caller without a certificate be somebody else', async () => {
    await serve()
    assert.equal(await ask(client()), 'nobody')
  })

  it('shows the server’s chain without its root to whoever verifies it', async () => {
    await serve()
    const chains: number[] = []
    await ask(client({ seen: chain => chains.push(chain.length) }))
    assert.deepEqual(chains, [1])
  })

  it('speaks TLS 1.3', async () => {
    await serve()
    const socket = await raw({ ALPNProtocols: ['h2'] })
    assert.equal(socket.getProtocol(), 'TLSv1.3')
  })

  const refusedClients: [string, () => Promise<ServingCredentials>, RegExp][] = [
    ['of a trust domain’s name under another root', () => svid(stranger, agent), /does not lead to a root/],
    ['that has expired', () => svid(issuer, agent, -5_000), /expired/],
    ['of somebody who is no agent', () => svid(issuer, SpiffeId.workload(issuer.trustDomain, 'shop', 'cart')), /^$/]
  ]
  for (const [what, identity, reason] of refusedClients) {
    it(`closes the connection of a client with a certificate ${what}`, async () => {
      await serve()
      await assert.rejects(ask(client({ identity: await identity() })), { code: 'ERR_AUTHORITY_UNAVAILABLE' })
      assert.deepEqual(server.peers, [])
      const warnings = lines.map(line => JSON.parse(line)).filter(({ level }) => level === 'warn')
      assert.match(String(warnings[0]?.err?.message ?? ''), reason)
    })
  }

  const refusedServers: [string, () => Parameters<typeof client>[0]][] = [
    ['with another SPIFFE ID', () => ({ expected: SpiffeId.workload(issuer.trustDomain, 'shop', 'cart') })],
    ['under a root that is not trusted', () => ({ roots: toPem(stranger.bundle.roots) })]
  ]
  for (const [what, options] of refusedServers) {
    it(`refuses a server ${what}, before anything is sent`, async () => {
      await serve()
      await assert.rejects(ask(client(options())), { code: 'ERR_AUTHORITY_UNAVAILABLE' })
    })
  }

  it('verifies every server, also after one was accepted with the same roots', async () => {
    await serve()
    assert.equal(await ask(client()), 'nobody')
    const other = SpiffeId.agent(issuer.trustDomain, 'node-z')
    await assert.rejects(ask(client({ expected: other })), { code: 'ERR_AUTHORITY_UNAVAILABLE' })
  })

  it('refuses to connect without roots, or with a key that does not fit', async () => {
    await serve()
    const [one, two] = [await svid(issuer, agent), await svid(issuer, agent)]
    assert.throws(() => client({ roots: '' }), {
      code: 'ERR_CERTIFICATE_INVALID',
      message: /roots have no certificate/
    })
    const mixed = { key: one.key, cert: two.cert }
    assert.throws(() => client({ identity: mixed }), { code: 'ERR_CERTIFICATE_INVALID' })
  })

  const refusedHandshakes: [string, ConnectionOptions][] = [
    ['TLS 1.2', { maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] }],
    ['another protocol than HTTP/2', { ALPNProtocols: ['http/1.1'] }],
    ['no application protocol', {}]
  ]
  for (const [what, options] of refusedHandshakes) {
    it(`closes a connection that offers ${what}`, async () => {
      await serve()
      const ended = raw(options).then(socket => new Promise(resolve => socket.once('close', resolve).resume()))
      await ended.catch(() => {})
      assert.deepEqual(server.peers, [])
      assert.equal(await ask(client()), 'nobody')
    })
  }

  it('never resumes a session', async () => {
    await serve()
    const first = await raw({ ALPNProtocols: ['h2'] })
    const session = first.getSession()
    assert.ok(session !== undefined)
    const second = await raw({ ALPNProtocols: ['h2'], session })
    assert.equal(second.isSessionReused(), false)
  })

  it('shows a new certificate to new connections and keeps the open ones', async () => {
    await serve()
    const answers: string[] = []
    const ended: unknown[] = []
    const stream = bidiTransport(STREAM, () => client()).open({
      onMessage: ({ versionInfo }) => answers.push(versionInfo),
      onEnd: error => ended.push(error)
    })
    stream.send(REQUEST)
    await eventually(() => answers.length === 1, 'the stream answers')

    const before = (await raw({ ALPNProtocols: ['h2'] })).getPeerCertificate().fingerprint256
    serving = await svid(issuer, authority)
    replaced()
    const fresh = await raw({ ALPNProtocols: ['h2'] })
    assert.notEqual(fresh.getPeerCertificate().fingerprint256, before)
    assert.equal(fresh.getProtocol(), 'TLSv1.3')
    await assert.rejects(raw({ maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] }))

    stream.send(REQUEST)
    await eventually(() => answers.length === 2, 'the open stream still answers')
    assert.deepEqual(ended, [])
    stream.close()
  })

  it('keeps the last certificate when the new one is not usable', async () => {
    await serve()
    const before = (await raw({ ALPNProtocols: ['h2'] })).getPeerCertificate().fingerprint256
    serving = { key: (await svid(issuer, authority)).key, cert: serving.cert }
    replaced()
    assert.equal((await raw({ ALPNProtocols: ['h2'] })).getPeerCertificate().fingerprint256, before)
    assert.match(lines.join(''), /serving certificate is not usable; the last one stays in use/)
    assert.doesNotMatch(lines.join(''), /PRIVATE KEY/)
  })

  it('closes connections beyond the limit, and says so once', async () => {
    await serve({ maxConnections: 1 })
    await raw({ ALPNProtocols: ['h2'] })
    await eventually(() => server.peers.length === 1, 'the first connection is served')
    await assert.rejects(raw({ ALPNProtocols: ['h2'] }))
    await assert.rejects(raw({ ALPNProtocols: ['h2'] }))
    assert.equal(lines.filter(line => line.includes('too many connections')).length, 1)
  })

  it('closes a connection whose handshake takes too long', async () => {
    await serve({ handshakeTimeoutMs: 50 })
    const socket = connectTcp(listener.port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {})
    await new Promise(resolve => socket.once('close', resolve).resume())
    assert.match(lines.join(''), /ERR_TLS_HANDSHAKE_TIMEOUT/)
  })

  it('stops listening when it closes, and leaves connections to the server', async () => {
    await serve()
    const open = client()
    assert.equal(await ask(open), 'nobody')
    listener.close()
    assert.equal(await ask(open), 'nobody')
    await assert.rejects(ask(client()), { code: 'ERR_AUTHORITY_UNAVAILABLE' })
  })

  const unusable: [string, string, string][] = [
    ['no port', '127.0.0.1', 'ERR_ADDRESS_UNUSABLE'],
    ['a port out of range', '127.0.0.1:70000', 'ERR_ADDRESS_UNUSABLE'],
    ['a bare IPv6 address', '::1:0', 'ERR_ADDRESS_UNUSABLE'],
    ['an address of another machine', '192.0.2.1:0', 'ERR_ADDRESS_UNUSABLE']
  ]
  for (const [what, address, code] of unusable) {
    it(`cannot listen on ${what}`, async () => {
      await serve()
      const credentials = { current: () => serving, subscribe: () => () => {} }
      await assert.rejects(listenTls({ address, credentials, identify: () => 'x', server, log }), { code })
    })
  }

  it('cannot listen with credentials that are not usable', async () => {
    await serve()
    const credentials = { current: () => ({ key: 'no key', cert: 'no certificate' }), subscribe: () => () => {} }
    await assert.rejects(listenTls({ address: '127.0.0.1:0', credentials, identify: () => 'x', server, log }), {
      code: 'ERR_CERTIFICATE_INVALID'
    })
  })

  it('listens on IPv6', async () => {
    await serve()
    const credentials = { current: () => serving, subscribe: () => () => {} }
    const other = await listenTls({ address: '[::1]:0', credentials, identify: () => 'x', server, log })
    assert.ok(other.port > 0)
    other.close()
  })
})
