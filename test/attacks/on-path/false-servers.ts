// An attacker on the path answers in the place of the server that a proxy calls.

import assert from 'node:assert/strict'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import {
  newEndpoints,
  newRoot,
  newService,
  newState,
  newSvid,
  newWorkload,
  spiffeId
} from '../../../agent/proxy/fixtures.test-support.ts'
import { parseTrustDomain } from '../../../shared/identity/index.ts'
import { MutualTlsMode, Protocol } from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { generateKeyPair, type Issuer, privateKeyToPem, toPem } from '../../../shared/x509/index.ts'
import { certificateWith } from '../../../shared/x509/openssl.test-support.ts'
import { callThrough } from '../../envoy/calls.ts'
import { type ExplicitPod, startExplicitPod } from '../../envoy/explicit-pod.ts'
import { freePort } from '../../free-port.ts'

const CLIENT = '127.91.60.1'
const ATTACKER = '127.91.60.2'
const ORDERS = spiffeId('shop', 'orders')
const SECRET = 'what only orders may hear'
const USAGE = ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=clientAuth,serverAuth']
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nforged'

type Credentials = Pick<TlsOptions, 'cert' | 'key'>

describe('an attacker on the path', () => {
  let root: Issuer
  let client: ExplicitPod
  let port: number

  before(async () => {
    root = await newRoot()
    port = await freePort(ATTACKER)
    const orders = newService({
      addresses: ['10.96.0.1'],
      ports: [{ number: 80, name: 'http', protocol: Protocol.HTTP }],
      identities: [ORDERS.toString()]
    })
    const endpoints = newEndpoints([
      { servicePort: 80, endpoints: [{ address: ATTACKER, port, mutualTls: true, identity: ORDERS.toString() }] }
    ])
    const state = newState({ roots: [root], services: [orders], endpoints: { 'shop/orders': endpoints } })
    client = await startExplicitPod(state, {
      workload: newWorkload({ addresses: [CLIENT], mode: MutualTlsMode.STRICT }),
      svid: await newSvid(root, spiffeId('shop', 'storefront')),
      interception: { kind: 'explicit', applicationAddress: '127.91.60.101' },
      probes: []
    })
  })
  after(() => client?.stop())

  /** What the server heard of a request, and what came back. */
  const tryServer = async (server: Server): Promise<{ readonly heard: string; readonly status: number }> => {
    let heard = ''
    const answer = (socket: Socket): void => {
      socket.on('error', () => {})
      socket.on('data', (data: Buffer) => {
        heard += data.toString('latin1')
        socket.end(ANSWER)
      })
    }
    server.on('secureConnection', answer)
    if (!('setSecureContext' in server)) server.on('connection', answer)
    server.on('tlsClientError', () => {})
    await new Promise<void>(done => server.listen(port, ATTACKER, done))
    try {
      const { status } = await callThrough(CLIENT, 'http://orders.shop/', { headers: { 'x-secret': SECRET } })
      return { heard, status }
    } finally {
      await new Promise(done => server.close(done))
    }
  }

  const credentials = async (issuer: Issuer, id = ORDERS): Promise<Credentials> => {
    const { chain, privateKey } = await newSvid(issuer, id)
    return { cert: toPem(chain), key: privateKeyToPem(privateKey) }
  }
  const certified = async (...extensions: string[]): Promise<Credentials> => {
    const { privateKey } = await generateKeyPair()
    return { cert: toPem([certificateWith(extensions, root, privateKey)]), key: privateKeyToPem(privateKey) }
  }
  const uri = (id: string): string => `URI:${id}`

  it('is heard by the client where it is the server itself: the attempts below could succeed', async () => {
    const { heard, status } = await tryServer(createTlsServer(await credentials(root)))
    assert.equal(status, 200)
    assert.match(heard, new RegExp(SECRET))
  })

  it('cannot answer in the place of a server, or hear what is sent to it', async t => {
    const other = await newRoot()
    const servers: Readonly<Record<string, () => Promise<Server>>> = {
      plaintext: async () => createTcpServer(),
      'another root': async () => createTlsServer(await credentials(other)),
      'another account': async () => createTlsServer(await credentials(root, spiffeId('shop', 'guest'))),
      'another namespace': async () => createTlsServer(await credentials(root, spiffeId('aaa', 'orders'))),
      'the account in another trust domain': async () =>
        createTlsServer(await credentials(root, spiffeId('shop', 'orders', parseTrustDomain('evil.test')))),
      'a name that begins with the right one': async () =>
        createTlsServer(await certified(...USAGE, `subjectAltName=${uri(`${ORDERS}x`)}`)),
      'a name in other letters': async () =>
        createTlsServer(await certified(...USAGE, `subjectAltName=${uri(ORDERS.toString().toUpperCase())}`)),
      'a path below the name': async () =>
        createTlsServer(await certified(...USAGE, `subjectAltName=${uri(`${ORDERS}/x`)}`)),
      'a DNS name alone': async () => createTlsServer(await certified(...USAGE, 'subjectAltName=DNS:orders.shop')),
      'no name': async () => createTlsServer(await certified(...USAGE)),
      'the certificate of an authority': async () =>
        createTlsServer(
          await certified('basicConstraints=critical,CA:TRUE', ...USAGE, `subjectAltName=${uri(ORDERS.toString())}`)
        ),
      'TLS 1.2': async () => createTlsServer({ ...(await credentials(root)), maxVersion: 'TLSv1.2' })
    }
    for (const [what, make] of Object.entries(servers)) {
      const { heard, status } = await tryServer(await make())
      assert.equal(status, 503, what)
      assert.ok(!heard.includes(SECRET), `${what} heard the request`)
    }
    t.diagnostic(`${Object.keys(servers).length} servers were refused`)
  })
})
