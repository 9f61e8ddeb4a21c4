// A real Envoy on the socket of a pod: what it asks, what it makes of the answers, and what it does without them.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { systemClock } from '../../shared/clock/index.ts'
import { SpiffeId } from '../../shared/identity/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { ApiVersion } from '../../shared/proto/gen/envoy/config/core/v3/config_source_pb.js'
import { ListenerSchema } from '../../shared/proto/gen/envoy/config/listener/v3/listener_pb.js'
import { RouterSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import { HttpConnectionManagerSchema } from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { SecretSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { DownstreamTlsContextSchema } from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { InjectedServer, listenUnix, UNIX_SERVER_OPTIONS, type UnixListener } from '../../shared/rpc/index.ts'
import { type Certificate, generateKeyPair, privateKeyToPem, spkiOf, toPem } from '../../shared/x509/index.ts'
import { createResource, type Resource, TYPE } from '../../shared/xds/index.ts'
import { eventually, type RunningEnvoy, startEnvoy } from '../../test/envoy/index.ts'
import { FakeIssuer } from '../../test/fakes/authority.ts'
import { RecordingObserver } from '../../test/fakes/discovery-observer.ts'
import { FakeSnapshotSource } from '../../test/fakes/snapshot-source.ts'
import { addDiscoveryServices } from './index.ts'

const PEER = 'pod:7d1f'
const IDENTITY = 'spiffe://mesh.test/ns/shop/sa/cart'
const TYPES = 'type.googleapis.com/envoy'

interface Identity {
  readonly key: string
  readonly cert: string
  readonly serial: string
}

/** The agent's side: its socket and what is behind it, which can be stopped and started again. */
class Agent {
  readonly folder = mkdtempSync(join(tmpdir(), 'countersign-sds-'))
  readonly source = new FakeSnapshotSource()
  observer = new RecordingObserver()
  readonly lines: string[] = []
  #server: InjectedServer | undefined
  #listener: UnixListener | undefined

  get socket(): string {
    return join(this.folder, 'agent.sock')
  }

  async start(): Promise<void> {
    const server = new InjectedServer(UNIX_SERVER_OPTIONS)
    addDiscoveryServices(server, {
      source: peer => (peer === PEER ? this.source : undefined),
      observer: this.observer,
      clock: systemClock,
      log: createLogger('test', 'debug', { write: line => this.lines.push(line) })
    })
    this.#server = server
    this.#listener = await listenUnix(this.socket, { mode: 0o600, onConnection: socket => server.accept(socket, PEER) })
  }

  async stop(): Promise<void> {
    await this.#listener?.close()
    this.#server?.close()
  }
}

async function startAgent(test: TestContext): Promise<Agent> {
  const agent = new Agent()
  test.after(async () => {
    await agent.stop()
    rmSync(agent.folder, { recursive: true })
  })
  await agent.start()
  return agent
}

const agentCluster = (socket: string): object => ({
  name: 'agent',
  type: 'STATIC',
  connect_timeout: '1s',
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} }
    }
  },
  load_assignment: {
    cluster_name: 'agent',
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socket } } } }] }]
  }
})

const apiSource = (api_type: 'GRPC' | 'DELTA_GRPC'): object => ({
  api_type,
  transport_api_version: 'V3',
  grpc_services: [
    {
      envoy_grpc: {
        cluster_name: 'agent',
        retry_policy: { retry_back_off: { base_interval: '0.1s', max_interval: '0.3s' } }
      }
    }
  ]
})

/** Everything by ADS, as a pod's own bootstrap has it. */
function adsBootstrap(agent: Agent, api_type: 'GRPC' | 'DELTA_GRPC'): object {
  const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' }
  return {
    node: { id: 'cart', cluster: 'shop' },
    dynamic_resources: { ads_config: apiSource(api_type), lds_config: ads, cds_config: ads },
    static_resources: { clusters: [agentCluster(agent.socket)] }
  }
}

/** Secrets alone, as in configurations written for SPIRE or Istio. */
function sdsBootstrap(
  agent: Agent,
  api_type: 'GRPC' | 'DELTA_GRPC',
  names: { identity: string; trust: string }
): object {
  const sds_config = { resource_api_version: 'V3', api_config_source: apiSource(api_type) }
  return {
    node: { id: 'cart', cluster: 'shop' },
    static_resources: {
      clusters: [agentCluster(agent.socket)],
      listeners: [
        {
          name: 'static',
          address: { pipe: { path: join(agent.folder, 'static.sock') } },
          filter_chains: [
            {
              filters: [
                {
                  name: 'http',
                  typed_config: {
                    '@type': `${TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                    stat_prefix: 'static',
                    route_config: {
                      virtual_hosts: [
                        {
                          name: 'all',
                          domains: ['*'],
                          routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }]
                        }
                      ]
                    },
                    http_filters: [
                      { name: 'router', typed_config: { '@type': `${TYPES}.extensions.filters.http.router.v3.Router` } }
                    ]
                  }
                }
              ],
              transport_socket: {
                name: 'tls',
                typed_config: {
                  '@type': `${TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
                  require_client_certificate: true,
                  common_tls_context: {
                    tls_certificate_sds_secret_configs: [{ name: names.identity, sds_config }],
                    validation_context_sds_secret_config: { name: names.trust, sds_config }
                  }
                }
              }
            }
          ]
        }
      ]
    }
  }
}

/** A listener on a Unix socket that answers 200 to whoever has a certificate under ROOTCA. */
function listener(agent: Agent, name: string, secrets = { identity: 'default', trust: 'ROOTCA' }): Resource {
  const sdsConfig = {
    resourceApiVersion: ApiVersion.V3,
    configSourceSpecifier: { case: 'ads', value: {} },
    initialFetchTimeout: { seconds: 0n, nanos: 0 }
  } as const
  const manager = create(HttpConnectionManagerSchema, {
    statPrefix: name,
    routeSpecifier: {
      case: 'routeConfig',
      value: {
        virtualHosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              {
                match: { pathSpecifier: { case: 'prefix', value: '/' } },
                action: { case: 'directResponse', value: { status: 200 } }
              }
            ]
          }
        ]
      }
    },
    httpFilters: [
      { name: 'router', configType: { case: 'typedConfig', value: anyPack(RouterSchema, create(RouterSchema)) } }
    ]
  })
  const tls = create(DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    commonTlsContext: {
      tlsCertificateSdsSecretConfigs: [{ name: secrets.identity, sdsConfig }],
      validationContextType: {
        case: 'validationContextSdsSecretConfig',
        value: { name: secrets.trust, sdsConfig }
      }
    }
  })
  return createResource(ListenerSchema, name, {
    name,
    address: { address: { case: 'pipe', value: { path: join(agent.folder, `${name}.sock`) } } },
    filterChains: [
      {
        filters: [
          { name: 'http', configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) } }
        ],
        transportSocket: {
          name: 'tls',
          configType: { case: 'typedConfig', value: anyPack(DownstreamTlsContextSchema, tls) }
        }
      }
    ]
  })
}

function identitySecret(name: string, { key, cert }: Identity): Resource {
  return createResource(SecretSchema, name, {
    name,
    type: {
      case: 'tlsCertificate',
      value: {
        certificateChain: { specifier: { case: 'inlineString', value: cert } },
        privateKey: { specifier: { case: 'inlineString', value: key } }
      }
    }
  })
}

function trustSecret(name: string, roots: readonly Certificate[]): Resource {
  return createResource(SecretSchema, name, {
    name,
    type: {
      case: 'validationContext',
      value: { trustedCa: { specifier: { case: 'inlineString', value: toPem(roots) } } }
    }
  })
}

interface Served {
  readonly status: string
  /** Of the certificate that Envoy showed. */
  readonly serial: string
}

/** One request over mutual TLS to a listener's socket. */
function get(agent: Agent, name: string, identity?: Identity): Promise<Served> {
  return new Promise((resolve, reject) => {
    const credentials = identity === undefined ? {} : { key: identity.key, cert: identity.cert }
    const socket = connectTls({ path: join(agent.folder, `${name}.sock`), rejectUnauthorized: false, ...credentials })
    socket.once('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n'))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection was closed without an answer')))
    socket.once('data', part => {
      const serial = socket.getPeerCertificate().serialNumber.toLowerCase()
      resolve({ status: /^HTTP\/1.1 (\d{3})/.exec(part.toString())?.[1] ?? '', serial })
      socket.destroy()
    })
  })
}

describe('an Envoy on the socket of its pod', () => {
  let issuer: FakeIssuer
  let client: Identity
  let stranger: Identity

  const identityOf = async (by: FakeIssuer): Promise<Identity> => {
    const { privateKey, publicKey } = await generateKeyPair()
    const [leaf, ...chain] = by.certify(SpiffeId.parse(IDENTITY), spkiOf(publicKey))
    assert.ok(leaf !== undefined)
    return { key: privateKeyToPem(privateKey), cert: toPem([leaf, ...chain]), serial: leaf.serialNumber.toLowerCase() }
  }
  before(async () => {
    issuer = await FakeIssuer.create({ clock: systemClock })
    client = await identityOf(issuer)
    stranger = await identityOf(await FakeIssuer.create({ clock: systemClock }))
  })
  let started = 0
  after(() => assert.equal(started, 11, 'Envoys that were tried'))

  const start = (test: TestContext, bootstrap: object): Promise<RunningEnvoy> => {
    started += 1
    return startEnvoy({ test, bootstrap })
  }
  const secretsOf = (identity: Identity): Resource[] => [
    identitySecret('default', identity),
    identitySecret(IDENTITY, identity),
    trustSecret('ROOTCA', issuer.bundle.roots),
    trustSecret('spiffe://mesh.test', issuer.bundle.roots)
  ]
  /** Until a listener shows this certificate. */
  const shows = (agent: Agent, name: string, { serial }: Identity): Promise<void> =>
    eventually(async () => assert.deepEqual(await get(agent, name, client), { status: '200', serial }))

  for (const api_type of ['DELTA_GRPC', 'GRPC'] as const) {
    it(`gets its listeners and secrets by ADS (${api_type}), and replaced certificates`, async test => {
      const agent = await startAgent(test)
      const [first, second] = [await identityOf(issuer), await identityOf(issuer)]
      agent.source.set({
        [TYPE.secret]: secretsOf(first),
        [TYPE.cluster]: [],
        [TYPE.listener]: [listener(agent, 'in')]
      })
      const envoy = await start(test, adsBootstrap(agent, api_type))
      await envoy.ready()
      await shows(agent, 'in', first)
      await assert.rejects(get(agent, 'in'), 'a client without a certificate')
      await assert.rejects(get(agent, 'in', stranger), 'a client under another root')

      agent.source.set({ [TYPE.secret]: secretsOf(second) })
      await shows(agent, 'in', second)
      assert.equal(await envoy.stat('listener_manager.lds.update_rejected'), 0)
      assert.deepEqual(agent.observer.matching('rejected'), [])
      const version = identitySecret('default', second).version
      await eventually(() => assert.ok(agent.observer.lines.some(line => line.includes(`default@${version}`))))
    })
  }

  it('is not ready while its listeners are withheld, and ready as soon as they are there', async test => {
    const agent = await startAgent(test)
    const envoy = await start(test, adsBootstrap(agent, 'DELTA_GRPC'))
    agent.source.set({ [TYPE.cluster]: [], [TYPE.secret]: secretsOf(client) })
    await eventually(() => assert.equal(agent.observer.matching(`accepted ${PEER} Cluster`).length, 1))
    const { status, body } = await envoy.admin('/ready')
    assert.equal(status, 503, body)
    agent.source.set({ [TYPE.listener]: [] })
    await envoy.ready()
  })

  it('waits for a secret that is withheld, and no longer', async test => {
    const agent = await startAgent(test)
    agent.source.set({ [TYPE.cluster]: [], [TYPE.listener]: [listener(agent, 'in')] })
    const envoy = await start(test, adsBootstrap(agent, 'DELTA_GRPC'))
    await eventually(() => assert.equal(agent.observer.matching(`accepted ${PEER} Listener`).length, 1))
    assert.equal((await envoy.admin('/ready')).status, 503)
    agent.source.set({ [TYPE.secret]: secretsOf(client) })
    await envoy.ready()
    await shows(agent, 'in', client)
  })

  it('goes on with everything else when a secret does not exist, and uses it when it does', async test => {
    const agent = await startAgent(test)
    const listeners = [listener(agent, 'in'), listener(agent, 'login', { identity: 'login', trust: 'ROOTCA' })]
    agent.source.set({ [TYPE.cluster]: [], [TYPE.secret]: secretsOf(client), [TYPE.listener]: listeners })
    const envoy = await start(test, adsBootstrap(agent, 'DELTA_GRPC'))
    await envoy.ready()
    await shows(agent, 'in', client)
    await assert.rejects(get(agent, 'login', client), 'a listener without its certificate')

    const login = await identityOf(issuer)
    agent.source.set({ [TYPE.secret]: [...secretsOf(client), identitySecret('login', login)] })
    await shows(agent, 'login', login)
    assert.equal(agent.observer.matching('opened').length, 1, 'all of it on one stream')
  })

  it('keeps a certificate that is gone here, and takes it again when it is back', async test => {
    const agent = await startAgent(test)
    agent.source.set({ [TYPE.secret]: secretsOf(client), [TYPE.cluster]: [], [TYPE.listener]: [listener(agent, 'in')] })
    const envoy = await start(test, adsBootstrap(agent, 'DELTA_GRPC'))
    await envoy.ready()
    await shows(agent, 'in', client)

    const accepted = agent.observer.matching(`accepted ${PEER} Secret`).length
    agent.source.set({ [TYPE.secret]: [trustSecret('ROOTCA', issuer.bundle.roots)] })
    // More than one when an acknowledgement of the beginning was still on its way.
    await eventually(() => assert.ok(agent.observer.matching(`accepted ${PEER} Secret`).length > accepted))
    await shows(agent, 'in', client)

    const next = await identityOf(issuer)
    agent.source.set({ [TYPE.secret]: secretsOf(next) })
    await shows(agent, 'in', next)
    assert.deepEqual(agent.observer.matching('rejected'), [])
  })

  it('refuses a listener that is wrong, which is reported and not sent again, and keeps the one it has', async test => {
    const agent = await startAgent(test)
    const good = listener(agent, 'in')
    agent.source.set({ [TYPE.secret]: secretsOf(client), [TYPE.cluster]: [], [TYPE.listener]: [good] })
    const envoy = await start(test, adsBootstrap(agent, 'DELTA_GRPC'))
    await envoy.ready()

    // A listener without an address.
    const wrong = createResource(ListenerSchema, 'in', { name: 'in', statPrefix: 'wrong' })
    agent.source.set({ [TYPE.listener]: [wrong] })
    await eventually(() => assert.equal(agent.observer.matching(`rejected ${PEER} Listener`).length, 1))
    assert.match(agent.observer.matching('rejected')[0] ?? '', /address/i)
    assert.match(agent.lines.join(''), /resources are refused by the peer/)
    await shows(agent, 'in', client)

    // Something else changes; what was refused is not tried again.
    const sent = agent.observer.matching(`sent ${PEER} Listener`).length
    const next = await identityOf(issuer)
    agent.source.set({ [TYPE.secret]: secretsOf(next), [TYPE.listener]: [wrong] })
    await shows(agent, 'in', next)
    assert.equal(agent.observer.matching(`sent ${PEER} Listener`).length, sent)
    assert.equal(await envoy.stat('listener_manager.lds.update_rejected'), 1)

    agent.source.set({ [TYPE.listener]: [good, listener(agent, 'second')] })
    await shows(agent, 'second', next)
    assert.equal(agent.observer.matching('rejected').length, 1)
  })

  it('serves on while the agent is away, comes back, and is sent only what it lacks', async test => {
    const agent = await startAgent(test)
    agent.source.set({ [TYPE.secret]: secretsOf(client), [TYPE.cluster]: [], [TYPE.listener]: [listener(agent, 'in')] })
    const envoy = await start(test, adsBootstrap(agent, 'DELTA_GRPC'))
    await envoy.ready()
    await shows(agent, 'in', client)

    await agent.stop()
    await eventually(async () => assert.equal(await envoy.stat('control_plane.connected_state'), 0))
    await shows(agent, 'in', client)

    agent.observer = new RecordingObserver()
    const next = await identityOf(issuer)
    agent.source.set({ [TYPE.secret]: secretsOf(next) })
    await agent.start()
    await shows(agent, 'in', next)
    // What Envoy accepts shows before it says so.
    const version = identitySecret('default', next).version
    const expected = { Listener: `accepted ${PEER} Listener`, Secret: `accepted ${PEER} Secret default@${version}` }
    for (const [type, line] of Object.entries(expected))
      await eventually(() => assert.deepEqual(agent.observer.matching(`accepted ${PEER} ${type}`), [line]))
  })

  const sdsOnly = [
    ['GRPC', { identity: 'default', trust: 'ROOTCA' }],
    ['DELTA_GRPC', { identity: IDENTITY, trust: 'spiffe://mesh.test' }]
  ] as const
  for (const [api_type, names] of sdsOnly) {
    it(`that was set up for secrets alone (${api_type}, ${names.identity}) needs no change`, async test => {
      const agent = await startAgent(test)
      const [first, second] = [await identityOf(issuer), await identityOf(issuer)]
      const envoy = await start(test, sdsBootstrap(agent, api_type, names))
      await eventually(() => assert.equal(agent.observer.matching('opened').length, 2))
      agent.source.set({ [TYPE.secret]: secretsOf(first) })
      await envoy.ready()
      await shows(agent, 'static', first)
      await assert.rejects(get(agent, 'static', stranger), 'a client under another root')
      agent.source.set({ [TYPE.secret]: secretsOf(second) })
      await shows(agent, 'static', second)
      const method = api_type === 'GRPC' ? 'StreamSecrets' : 'DeltaSecrets'
      assert.deepEqual(new Set(agent.observer.matching('opened')), new Set([`opened ${PEER} ${method}`]))
      assert.deepEqual([agent.observer.matching('rejected'), agent.observer.matching('closed')], [[], []])
    })
  }

  it('that was set up for secrets alone waits for a name that is not there yet, on a stream that goes on', async test => {
    const agent = await startAgent(test)
    agent.source.set({ [TYPE.secret]: secretsOf(client) })
    await start(test, sdsBootstrap(agent, 'GRPC', { identity: 'later', trust: 'ROOTCA' }))
    await eventually(() => assert.equal(agent.observer.matching(`accepted ${PEER} Secret`).length, 2))
    agent.source.set({ [TYPE.secret]: [...secretsOf(client), identitySecret('later', client)] })
    await shows(agent, 'static', client)
    assert.deepEqual([agent.observer.matching('rejected'), agent.observer.matching('closed')], [[], []])
  })
})
