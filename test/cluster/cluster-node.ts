import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Image } from '../../tools/images/index.ts'
import { createCgroup } from './cgroups.ts'
import { ClusterError } from './cluster-error.ts'
import { cniConfig, containerdConfig, kubeletConfig, kubeProxyConfig, LINK_PLUGIN, linkPlugin } from './config/index.ts'
import { PAUSE_IMAGE } from './images.ts'
import { ImageImporter } from './import-images.ts'
import { Machine } from './machine.ts'
import { type NodeProcess, processesOf } from './node-processes.ts'
import { CNI, cniFolder } from './requirements.ts'
import type { Outcome, RunOptions } from './run.ts'
import { CONTROL, type Layout, type NodeName } from './settings.ts'
import { until } from './until.ts'

/** The programs of a node. */
export type NodeProgram = 'containerd' | 'kubelet' | 'kube-proxy'

export const NODE_PROGRAMS: readonly NodeProgram[] = ['containerd', 'kubelet', 'kube-proxy']

const SOCKET = '/run/containerd/containerd.sock'
const PLUGINS = 'cni-plugins'
const READY_MS = 30_000

/** A worker node: containerd, runc, kubelet and kube-proxy on a machine of its own. */
export class ClusterNode {
  readonly machine: Machine
  readonly #node: NodeName
  readonly #layout: Layout

  constructor(node: NodeName, layout: Layout) {
    this.#node = node
    this.#layout = layout
    this.machine = new Machine(node, layout.machine(node.name))
  }

  get name(): string {
    return this.#node.name
  }

  get address(): string {
    return this.#node.address
  }

  get ipv6Address(): string {
    return this.#node.ipv6Address
  }

  /** Where its containerd keeps images and containers. */
  get containerdRoot(): string {
    return join(this.machine.folder, 'containerd')
  }

  /** Boots the machine and starts containerd; returns when it answers. */
  async startRuntime(): Promise<void> {
    const { folder } = this.machine
    const plugins = cniFolder()
    if (plugins === undefined)
      throw new ClusterError('the CNI plugins are missing', 'install the Debian package containernetworking-plugins')
    await createCgroup(this.#node.cgroup)
    await this.machine.boot()
    await this.#placePlugins(plugins)
    await mkdir(join(folder, 'cni'), { recursive: true })
    await writeFile(join(folder, 'cni/10-pods.conflist'), cniConfig(this.#node, join(folder, 'addresses')))
    const paths = {
      root: this.containerdRoot,
      socket: SOCKET,
      cniPlugins: join(folder, PLUGINS),
      cniConfig: join(folder, 'cni'),
      pauseImage: PAUSE_IMAGE
    }
    const file = join(folder, 'containerd.toml')
    await writeFile(file, containerdConfig(paths, this.#node))
    await this.machine.start('containerd', ['containerd', '--config', file])
    await this.runtimeReady()
  }

  async #placePlugins(plugins: string): Promise<void> {
    const folder = join(this.machine.folder, PLUGINS)
    await mkdir(folder, { recursive: true })
    for (const name of CNI.plugins) await symlink(join(plugins, name), join(folder, name))
    await writeFile(join(folder, LINK_PLUGIN), linkPlugin(plugins), { mode: 0o755 })
  }

  /** Starts what needs the API server: the node becomes Ready soon after. */
  async join(): Promise<void> {
    const { folder } = this.machine
    const { kube, pki } = this.#layout
    const { name, address, ipv6Address } = this.#node
    const kubelet = this.#kubeletConfig
    const [kubeProxy, resolvConf] = [join(folder, 'kube-proxy.json'), join(folder, 'resolv.conf')]
    await writeFile(resolvConf, `nameserver ${CONTROL.address}\n`)
    const paths = {
      authority: pki('ca.crt'),
      certificate: pki(`${name}.crt`),
      key: pki(`${name}.key`),
      containerdSocket: SOCKET,
      resolvConf
    }
    await writeFile(kubelet, kubeletConfig(this.#node, paths))
    await writeFile(kubeProxy, kubeProxyConfig(this.#node, pki('kube-proxy.kubeconfig')))
    const flags = [
      `--kubeconfig=${pki(`${name}.kubeconfig`)}`,
      '--root-dir=/var/lib/kubelet',
      `--hostname-override=${name}`,
      `--node-ip=${address},${ipv6Address}`
    ]
    await this.machine.start('kubelet', [kube, 'kubelet', `--config=${kubelet}`, ...flags])
    await this.machine.start('kube-proxy', [kube, 'kube-proxy', `--config=${kubeProxy}`])
  }

  /**
   * Gives images to the node.
   *
   * @param images images, or the path of a tar file
   * @returns the names of the images
   */
  async load(images: readonly Image[] | string): Promise<string[]> {
    const importer = new ImageImporter(await this.machine.path(SOCKET))
    return typeof images === 'string' ? importer.importFile(images) : importer.importImages(images)
  }

  /** Runs a program on the node itself, in its network, mounts and processes: what root on the node could do. */
  run(command: readonly string[], options?: RunOptions): Promise<Outcome> {
    return this.machine.run(command, options)
  }

  /** Everything that runs on the node, containers included. */
  processes(): Promise<readonly NodeProcess[]> {
    return processesOf(this.machine)
  }

  /**
   * Sends a signal to a process of the node, as `processes` numbers it.
   *
   * @throws ClusterError when there is no such process
   */
  async signal(pid: number, name: 'STOP' | 'CONT' | 'TERM' | 'KILL'): Promise<void> {
    const { code, stderr } = await this.run(['kill', `-${name}`, String(pid)])
    if (code !== 0)
      throw new ClusterError(`process ${pid} of ${this.name} got no SIG${name}: ${stderr.trim()}`, 'see ps')
  }

  stop(program: NodeProgram, how?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    return this.machine.stop(program, how)
  }

  start(program: NodeProgram): Promise<void> {
    return this.machine.startAgain(program)
  }

  async restart(program: NodeProgram, how?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.stop(program, how)
    await this.start(program)
  }

  /**
   * Changes fields of the kubelet's configuration and starts it again; pods go on running. Format:
   * kubelet.config.k8s.io/v1beta1.
   */
  async configureKubelet(fields: Readonly<Record<string, unknown>>): Promise<void> {
    const present = JSON.parse(await readFile(this.#kubeletConfig, 'utf8'))
    await writeFile(this.#kubeletConfig, JSON.stringify({ ...present, ...fields }))
    await this.restart('kubelet')
  }

  get #kubeletConfig(): string {
    return join(this.machine.folder, 'kubelet.json')
  }

  /** Waits until containerd answers. */
  async runtimeReady(): Promise<void> {
    const socket = await this.machine.path(SOCKET)
    const ask = async (): Promise<true | undefined> => {
      await this.machine.mustRun('containerd')
      return (await accepts(socket)) ? true : undefined
    }
    const log = `${this.machine.folder}/log/containerd.log`
    await until(ask, READY_MS, () => new ClusterError(`containerd of ${this.name} does not answer`, `see ${log}`))
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise(answer => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      answer(true)
    })
    socket.once('error', () => answer(false))
  })
}
