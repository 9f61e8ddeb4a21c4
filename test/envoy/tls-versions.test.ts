// Which versions of TLS a pod takes from clients without a proxy, by what the operator allows, and what of 1.2.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { type ConnectionOptions, connect, createServer, type SecureVersion, type TLSSocket } from 'node:tls'
import {
  newEndpoints,
  newRoot,
  newService,
  newSvid,
  spiffeId,
  withTls12
} from '../../agent/proxy/fixtures.test-support.ts'
import type { MeshState, PodState } from '../../agent/proxy/index.ts'
import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { generateKeyPair, privateKeyToPem, signCertificate, spkiOf, toPem } from '../../shared/x509/index.ts'
import { freePort } from '../free-port.ts'
import { callThrough } from './calls.ts'
import { type Offer, SERVER_ID, startTwoPods, type TwoPods } from './two-pods.ts'

const NETWORK = '127.83.42'
const REQUEST = 'GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n'
const MARK = '1.test.shop.countersign.internal'
const DEADLINE_MS = 20_000

// The alerts of RFC 8446, section 6.2, as OpenSSL calls them.
const VERSION_REFUSED = /alert protocol version/
const NOTHING_IN_COMMON = /alert handshake failure/

const ONLY_1_2: ConnectionOptions = { maxVersion: 'TLSv1.2' }
const HTTP_1: ConnectionOptions = { ALPNProtocols: ['http/1.1'] }

/** Ports to which clients without a proxy come, and how they do. */
const OPEN: Readonly<Record<string, readonly [Offer, ConnectionOptions]>> = {
  'strict HTTP': ['http', {}],
  'strict HTTP, as the mesh names it': ['http', { servername: MARK }],
  'permissive HTTP': ['permissiveHttp', {}],
  'strict TCP': ['tcp', {}],
  'permissive TCP': ['permissiveTcp', {}],
  'a strict port of which nothing was said': ['strictUnknownHttp', {}],
  'HTTP on a strict port of which nothing was said': ['strictUnknownHttp', HTTP_1]
}

const keyAndCertificate = ({ chain, privateKey }: PodState['svid']): { key: string; cert: string } => ({
  key: privateKeyToPem(privateKey),
  cert: toPem(chain)
})

describe('a client without a proxy', () => {
  let pods: TwoPods
  let certificate: ConnectionOptions
  before(async () => {
    pods = await startTwoPods(NETWORK)
    certificate = keyAndCertificate(await newSvid(pods.root, spiffeId('shop', 'batch')))
  })
  after(() => pods?.stop())

  /** Sends a request, and resolves once the application has answered it; rejects with why it was not. */
  async function ask(offer: Offer, options: ConnectionOptions, look = (_: TLSSocket): void => {}): Promise<string> {
    const socket = connect({
      host: pods.server.address,
      port: pods.port(offer),
      rejectUnauthorized: false,
      ...options
    })
    const signal = AbortSignal.timeout(DEADLINE_MS)
    try {
      await once(socket, 'secureConnect', { signal })
      socket.setEncoding('latin1').write(REQUEST)
      let said = ''
      while (!said.includes('orders')) {
        const [part] = await Promise.race([once(socket, 'data', { signal }), endOf(socket, signal)])
        said += part
      }
      look(socket)
      return said
    } finally {
      socket.on('error', () => {}).destroy()
    }
  }
  const endOf = async (socket: TLSSocket, signal: AbortSignal): Promise<never> => {
    await once(socket, 'close', { signal })
    throw new Error('closed without an answer')
  }
  /** The version and, for 1.2, the suite with which it got an answer. */
  async function spoken(offer: Offer, options: ConnectionOptions): Promise<string> {
    let found = ''
    await ask(offer, { ...certificate, ...options }, socket => {
      const version = socket.getProtocol()
      found = version === 'TLSv1.3' ? version : `${version} ${socket.getCipher().name}`
    })
    return found
  }
  async function assertRefused(offer: Offer, options: ConnectionOptions, reason = /./): Promise<void> {
    const before = pods.connections(offer)
    await assert.rejects(ask(offer, options), reason)
    assert.equal(pods.connections(offer), before, 'the application was connected')
  }

  describe('where nothing was allowed', () => {
    for (const [where, [offer, how]] of Object.entries(OPEN)) {
      it(`is refused with TLS 1.2 on ${where}`, () =>
        assertRefused(offer, { ...certificate, ...how, ...ONLY_1_2 }, VERSION_REFUSED))
      it(`is served with TLS 1.3 on ${where}`, async () => assert.equal(await spoken(offer, how), 'TLSv1.3'))
    }
  })

  describe('where TLS 1.2 is allowed', () => {
    let state: MeshState
    before(async () => {
      state = withTls12(pods.state)
      await pods.server.update(state, pods.serverPod)
      await pods.client.update(state, pods.clientPod)
    })

    for (const [where, [offer, how]] of Object.entries(OPEN)) {
      it(`is served with it on ${where}`, async () =>
        assert.match(await spoken(offer, { ...how, ...ONLY_1_2 }), /^TLSv1\.2 ECDHE-ECDSA-.*(GCM|POLY1305)/))
      it(`is served with TLS 1.3, when it knows that, on ${where}`, async () =>
        assert.equal(await spoken(offer, { ...how, minVersion: 'TLSv1.2' }), 'TLSv1.3'))
      it(`is refused with it and no certificate on ${where}`, () => assertRefused(offer, { ...how, ...ONLY_1_2 }))
    }

    it('has its name told to the application', async () => {
      const id = spiffeId('shop', 'batch')
      assert.match(await ask('http', { ...certificate, ...ONLY_1_2 }), new RegExp(`URI=${id}"`))
    })

    for (const [suite, name] of Object.entries({
      'ECDHE-ECDSA-AES128-GCM-SHA256': 'AES of 128 bits',
      'ECDHE-ECDSA-AES256-GCM-SHA384': 'AES of 256 bits',
      'ECDHE-ECDSA-CHACHA20-POLY1305': 'ChaCha20'
    }))
      it(`may choose ${name}`, async () =>
        assert.equal(await spoken('http', { ...ONLY_1_2, ciphers: suite }), `TLSv1.2 ${suite}`))

    for (const [what, ciphers] of Object.entries({
      CBC: 'ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384',
      'the key exchange of RSA': 'AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA',
      'a certificate of RSA': 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305',
      'a Diffie-Hellman of whole numbers': 'DHE-RSA-AES128-GCM-SHA256'
    }))
      it(`is refused with suites of ${what} alone`, () =>
        assertRefused('http', { ...certificate, ...ONLY_1_2, ciphers: `${ciphers}:@SECLEVEL=0` }, NOTHING_IN_COMMON))

    for (const version of ['TLSv1.1', 'TLSv1'] as const satisfies readonly SecureVersion[])
      it(`is refused with ${version}`, () =>
        assertRefused(
          'http',
          { ...certificate, minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' },
          VERSION_REFUSED
        ))

    it('is refused with a certificate of another root', async () => {
      const other = keyAndCertificate(await newSvid(await newRoot(), spiffeId('shop', 'batch')))
      await assertRefused('http', { ...other, ...ONLY_1_2 })
    })

    it('may have a key of RSA, but not prove it by SHA-1', async () => {
      const { privateKey, publicKey } = await generateKeyPair('rsa-2048')
      const template = { spiffeId: spiffeId('shop', 'batch'), usage: 'workload' } as const
      const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 600_000 }
      const chain = [signCertificate({ ...template, ...validity }, spkiOf(publicKey), pods.root)]
      const rsa = { ...keyAndCertificate({ spiffeId: template.spiffeId, chain, privateKey }), ...ONLY_1_2 }
      const prove = (by: string): ConnectionOptions => ({ ...rsa, ciphers: 'DEFAULT:@SECLEVEL=0', sigalgs: by })
      assert.match(await ask('http', prove('ecdsa_secp256r1_sha256:rsa_pkcs1_sha256')), /200 OK/)
      await assertRefused('http', prove('ecdsa_secp256r1_sha256:rsa_pkcs1_sha1'))
    })

    it('shows its certificate each time: no session is resumed', async () => {
      let session: Buffer | undefined
      for (let n = 0; n < 2; n++)
        await ask('http', { ...certificate, ...ONLY_1_2, ...(session === undefined ? {} : { session }) }, socket => {
          assert.equal(socket.isSessionReused(), false)
          session = socket.getSession()
        })
    })

    it('is refused with it where only proxies come', async () => {
      for (const offer of ['tcp', 'strictUnknownHttp', 'unknownHttp'] as const)
        for (const how of [{}, HTTP_1])
          await assertRefused(offer, { ...certificate, ...how, ...ONLY_1_2, servername: MARK }, VERSION_REFUSED)
    })

    it('changes nothing between proxies: TLS 1.3 and a key exchange that resists quantum computers', async () => {
      assert.equal((await callThrough(pods.client.address, 'http://orders/')).status, 200)
      const { body } = await pods.client.envoy.admin('/stats?filter=^cluster.*ssl.(versions|curves)')
      assert.match(body, /ssl\.versions\.TLSv1\.3: [1-9]/)
      assert.match(body, /ssl\.curves\.X25519MLKEM768: [1-9]/)
      assert.doesNotMatch(body, /TLSv1\.2/)
    })

    // Neither a server that is that old nor somebody in between who pretends it.
    for (const [version, status] of [
      ['TLSv1.2', 503],
      ['TLSv1.3', 200]
    ] as const)
      it(`changes nothing for calls by a proxy: a server with ${version} alone is answered with ${status}`, async () => {
        const address = `${NETWORK}.3`
        const server = createServer(
          { ...keyAndCertificate(pods.serverPod.svid), minVersion: version, maxVersion: version },
          socket =>
            socket
              .on('error', () => {})
              .once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
        )
        const sockets = new Set<Socket>()
        server.on('connection', socket => sockets.add(socket.on('error', () => {})))
        server.listen(await freePort(address), address)
        await once(server, 'listening')
        try {
          const { port } = server.address() as AddressInfo
          const service = newService({
            name: 'single',
            ports: [{ number: 80, name: 'http', protocol: Protocol.HTTP }],
            identities: [SERVER_ID]
          })
          const endpoints = newEndpoints([{ servicePort: 80, endpoints: [{ address, port, mutualTls: true }] }])
          const changed: MeshState = {
            ...state,
            services: new Map([...state.services, ['shop/single', service]]),
            endpoints: new Map([...state.endpoints, ['shop/single', endpoints]])
          }
          await pods.client.update(changed, pods.clientPod)
          const answer = await callThrough(pods.client.address, 'http://single/')
          assert.equal(answer.status, status, answer.body)
          if (status === 503) assert.match(answer.body, /PROTOCOL_VERSION/)
        } finally {
          await pods.client.update(state, pods.clientPod)
          server.close()
          for (const socket of sockets) socket.destroy()
          await once(server, 'close')
        }
      })
  })

  it('is refused with TLS 1.2 again as soon as it is no longer allowed', async () => {
    await pods.server.update(pods.state, pods.serverPod)
    await assertRefused('http', { ...certificate, ...ONLY_1_2 }, VERSION_REFUSED)
  })
})
