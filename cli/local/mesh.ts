import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { AGENT_SOCKET, BOOTSTRAP_FILE, createBootstrap } from '../../shared/bootstrap/index.ts'
import { writeFileAtomically } from '../../shared/files/index.ts'
import { writeVolumeRecord } from '../../shared/volume/index.ts'
import { admit } from './admission.ts'
import { applicationProcess, PROXY, proxyContainer, proxyProcess } from './containers.ts'
import { call } from './http.ts'
import { type LocalPod, localPod, withManifest } from './pod.ts'
import { LocalProcess, type ProcessSpec } from './process.ts'
import { type Addresses, addressesOf, type Layout, layoutOf, type Program, programSpec } from './programs.ts'
import { type TokenChanges, TokenIssuer } from './token-issuer.ts'
import { until } from './until.ts'

const SYSTEM = 'countersign-system'
const AGENT_ACCOUNT = 'countersign-agent'
const WEBHOOK_NAME = 'countersign-webhook.countersign-system.svc'

export interface LocalMeshOptions {
  /** Where everything is kept; its path must be short, proxies reach their sockets below it (at most 107 bytes). */
  readonly folder: string
  /** First two numbers below 127 of the addresses to use: programs on 127.a.b.1 to .9, pods from .10 on. */
  readonly network: string
  readonly envoy: string
  /** For example `30s`. */
  readonly certificateLifetime: string
  readonly environment: Readonly<Record<string, string>>
  readonly logLevel?: string
}

const SPARE = { 'identity-provider': 8, 'other-provider': 9 } as const

/** A pod that runs on this machine. */
export interface RunningPod {
  readonly pod: LocalPod
  /** Absent when the webhook left the pod alone. */
  proxy: LocalProcess | undefined
  readonly applications: LocalProcess[]
}

export interface RunOptions {
  /** Default true; false leaves the application containers out. */
  readonly applications?: boolean
  /** Default true; false keeps the pod from the folder that the authority watches. */
  readonly publish?: boolean
  readonly readyTimeoutMs?: number
}

/**
 * A mesh on one machine without Kubernetes and without root. It plays API server (tokens, admission), scheduler and
 * kubelet; authority, webhook, agent, Envoys and applications are the real programs, each a process of its own.
 */
export class LocalMesh {
  readonly node = 'local'
  readonly layout: Layout
  readonly #options: LocalMeshOptions
  readonly #programs = new Map<Program, LocalProcess>()
  readonly #pods = new Map<string, RunningPod>()
  #tokens: TokenIssuer | undefined
  #nextPod = 10

  constructor(options: LocalMeshOptions) {
    this.#options = options
    this.layout = layoutOf(options.folder)
  }

  address(program: Program): Addresses {
    return addressesOf(program, this.#options.network)
  }

  /** An address beside those of programs and pods, for something of the caller's. */
  spareAddress(name: 'identity-provider' | 'other-provider'): string {
    return `127.${this.#options.network}.${SPARE[name]}`
  }

  get pods(): readonly RunningPod[] {
    return [...this.#pods.values()]
  }

  program(name: Program): LocalProcess {
    const found = this.#programs.get(name)
    if (found === undefined) throw new Error(`${name} was never started`)
    return found
  }

  /** Token of a pod, as the kubelet would have it. */
  async token(pod: LocalPod, changes: TokenChanges = {}): Promise<string> {
    this.#tokens ??= await TokenIssuer.create(this.layout.tokenKeys)
    return this.#tokens.issue(pod, changes)
  }

  /** Makes the folders and the agent's own pod, then starts the three programs. */
  async start(): Promise<void> {
    await this.#refuseUsedAddresses()
    for (const name of ['manifests', 'jwks', 'bundle', 'agent-token', 'webhook', 'authority', 'pods'])
      await mkdir(join(this.#options.folder, name), { recursive: true, mode: 0o700 })
    await mkdir(join(this.layout.state, 'volumes'), { recursive: true, mode: 0o700 })
    const agentPod = localPod(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'countersign-agent-local', namespace: SYSTEM, uid: randomUUID() },
        spec: { serviceAccountName: AGENT_ACCOUNT, containers: [{ name: 'agent', image: 'countersign.dev/agent' }] }
      },
      {
        node: this.node,
        address: `127.${this.#options.network}.3`,
        applicationAddress: `127.${this.#options.network}.3`
      }
    )
    await this.apply('agent', agentPod.manifest)
    await writeFile(this.layout.agentToken, await this.token(agentPod), { mode: 0o600 })
    await Promise.all([this.startProgram('authority'), this.startProgram('webhook')])
    await this.startProgram('agent')
  }

  /** Starts one of the three programs and waits until it says that it is ready. */
  async startProgram(name: Program): Promise<void> {
    const process = await LocalProcess.start(this.#spec(name))
    this.#programs.set(name, process)
    await until(`${name} ready`, async () => {
      if (!process.running) throw new Error(`${name} ended with ${process.ended}:\n${process.output.join('\n')}`)
      return (await call({ url: `http://${this.address(name).health}/readyz` })).status === 200 || undefined
    })
  }

  /** Writes a manifest into the folder that the authority watches. */
  async apply(name: string, ...objects: readonly object[]): Promise<void> {
    await this.applyText(name, objects.map(object => stringify(object, { aliasDuplicateObjects: false })).join('---\n'))
  }

  async applyText(name: string, yaml: string): Promise<void> {
    const file = join(this.layout.manifests, name.endsWith('.yaml') ? name : `${name}.yaml`)
    writeFileAtomically(file, yaml)
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.layout.manifests, `${name}.yaml`), { force: true })
  }

  /** The next free pair of addresses. */
  placement(): { node: string; address: string; applicationAddress: string } {
    const [first, second] = this.#options.network.split('.').map(Number)
    const host = this.#nextPod++
    return {
      node: this.node,
      address: `127.${first}.${second}.${host}`,
      applicationAddress: `127.${first}.${Number(second) + 1}.${host}`
    }
  }

  /** Admission, volume, sidecar, readiness, application: the life of a pod as the API server and a kubelet drive it. */
  async run(placed: LocalPod, options: RunOptions = {}): Promise<RunningPod> {
    const pod = withManifest(placed, await this.#admit(placed))
    if (options.publish !== false) await this.apply(`pod-${pod.name}`, pod.manifest)
    const container = proxyContainer(pod)
    const running: RunningPod = { pod, proxy: undefined, applications: [] }
    this.#pods.set(pod.name, running)
    if (container !== undefined) {
      await this.publishVolume(pod)
      await this.startProxy(running)
      await this.waitReady(running, options.readyTimeoutMs)
    }
    if (options.applications !== false)
      for (const application of pod.manifest.spec?.containers ?? [])
        running.applications.push(await LocalProcess.start(this.#withEnvironment(applicationProcess(pod, application))))
    return running
  }

  /** What NodePublishVolume leaves behind for the proxy and the agent. */
  async publishVolume(pod: LocalPod): Promise<void> {
    const attributes =
      pod.manifest.spec?.volumes?.find(volume => volume.name === 'countersign')?.csi?.volumeAttributes ?? {}
    const folder = this.volumeFolder(pod)
    await mkdir(folder, { recursive: true })
    // Pods are processes of this machine, so each proxy sees its volume, and needs an admin socket, of its own.
    const bootstrap = createBootstrap({
      nodeId: pod.uid,
      nodeCluster: `${pod.namespace}/${pod.name}`,
      socketPath: join(folder, AGENT_SOCKET),
      adminSocket: join(folder, 'admin.sock')
    })
    await writeFile(join(folder, BOOTSTRAP_FILE), JSON.stringify(bootstrap, null, 2))
    await writeVolumeRecord(join(this.layout.state, 'volumes'), {
      version: 1,
      volumeId: `csi-${pod.uid}`,
      targetPath: folder,
      pod: { namespace: pod.namespace, name: pod.name, uid: pod.uid, serviceAccount: pod.serviceAccount },
      token: await this.token(pod),
      attributes
    })
  }

  volumeFolder(pod: LocalPod): string {
    return join(this.layout.pods, pod.name)
  }

  async startProxy(running: RunningPod): Promise<void> {
    const container = proxyContainer(running.pod)
    if (container === undefined) throw new Error(`pod ${running.pod.name} has no container ${PROXY}`)
    const spec = proxyProcess(running.pod, container, this.#options.envoy, this.volumeFolder(running.pod))
    running.proxy = await LocalProcess.start(this.#withEnvironment(spec))
  }

  /** The startup probe that the webhook wrote, asked as a kubelet would. */
  async isReady(pod: LocalPod): Promise<boolean> {
    const probe = proxyContainer(pod)?.startupProbe?.httpGet
    const url = `http://${pod.address}:${probe?.port ?? 15021}${probe?.path ?? '/ready'}`
    return call({ url, timeoutMs: 1_000 }).then(
      answer => answer.status === 200,
      () => false
    )
  }

  async waitReady(running: RunningPod, timeoutMs = 30_000): Promise<void> {
    await until(
      `proxy of ${running.pod.name} ready`,
      async () => {
        if (running.proxy?.running === false)
          throw new Error(`the proxy ended with ${running.proxy.ended}:\n${running.proxy.output.join('\n')}`)
        return (await this.isReady(running.pod)) || undefined
      },
      { timeoutMs }
    )
  }

  /** Everything of the pod goes: application first, then its proxy, then what the agent knows of it. */
  async delete(running: RunningPod): Promise<void> {
    for (const application of running.applications) await application.stop()
    await running.proxy?.stop()
    this.#pods.delete(running.pod.name)
    await rm(join(this.layout.state, 'volumes', `csi-${running.pod.uid}.json`), { force: true })
    await this.remove(`pod-${running.pod.name}`)
  }

  async stop(): Promise<void> {
    const pods = this.pods
    await Promise.all(pods.flatMap(pod => pod.applications.map(application => application.stop())))
    await Promise.all(pods.map(pod => pod.proxy?.stop()))
    await Promise.all([...this.#programs.values()].map(program => program.stop()))
  }

  /** Programs of another mesh would answer in place of ours, and be taken for them. */
  async #refuseUsedAddresses(): Promise<void> {
    for (const program of ['authority', 'webhook', 'agent'] as const) {
      const { health } = this.address(program)
      const answered = await call({ url: `http://${health}/livez`, timeoutMs: 1_000 }).then(
        () => true,
        () => false
      )
      if (answered)
        throw new Error(`${health} is in use: another mesh runs on this machine, perhaps another demo; end that first`)
    }
  }

  async #admit(pod: LocalPod) {
    const ca = await readFile(this.layout.webhookCa, 'utf8')
    return admit(this.address('webhook').listen, ca, WEBHOOK_NAME, pod)
  }

  #spec(program: Program): ProcessSpec {
    const { network, certificateLifetime, logLevel = 'info' } = this.#options
    return this.#withEnvironment(
      programSpec(program, this.layout, { network, node: this.node, certificateLifetime, logLevel })
    )
  }

  #withEnvironment(spec: ProcessSpec): ProcessSpec {
    return { ...spec, environment: { ...this.#options.environment, ...spec.environment } }
  }
}
