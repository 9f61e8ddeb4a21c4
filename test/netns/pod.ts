// A pod without Kubernetes: a network namespace with one link to another one outside, and processes in a cgroup that
// has the kubelet's name for the pod.

import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { envoyBinary } from '../envoy/binary.ts'
import type { Answer, Response } from './peer.ts'
import { type DeliverySource, proxyConfiguration } from './proxy.ts'

export const OUTSIDE = { ipv4: '10.99.0.1', ipv6: 'fd99::1' } as const
export const INSIDE = { ipv4: '10.99.0.2', ipv6: 'fd99::2' } as const

/** Addresses on a second network, on an interface of its own. */
export const SECOND = {
  outside: { ipv4: '10.98.0.1', ipv6: 'fd98::1' },
  inside: { ipv4: '10.98.0.2', ipv6: 'fd98::2' }
} as const

/** The users of a pod's processes. */
export const USER = { proxy: 1337, application: 1000, other: 2000 } as const

const PEER = join(import.meta.dirname, 'peer.ts')
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning']

/** Runs a command to its end; for setting things up. */
export function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`)
  return stdout
}

export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

let count = 0

/** A network namespace, and the processes that were started in it. */
export class Namespace {
  readonly name = `cs-${process.pid}-${++count}`
  readonly path = `/run/netns/${this.name}`
  readonly #processes: ChildProcess[] = []

  /** @param pid a process whose namespace it is; a new one unless given */
  constructor(pid?: number) {
    if (pid === undefined) run('ip', 'netns', 'add', this.name)
    else run('ip', 'netns', 'attach', this.name, String(pid))
    run('ip', '-n', this.name, 'link', 'set', 'lo', 'up')
  }

  /** Starts a command in it as a user; one line of output is waited for unless told otherwise. */
  async start(
    user: number,
    command: readonly string[],
    options: SpawnOptions & { ready?: boolean } = {}
  ): Promise<ChildProcess> {
    const child = spawn('nsenter', [`--net=${this.path}`, ...asUser(user), ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
      ...options
    })
    this.#processes.push(child)
    if (options.ready !== false)
      await new Promise<void>((resolve, reject) => {
        child.stdout?.once('data', () => resolve())
        child.once('close', code => reject(new Error(`${command.join(' ')} ended with ${code}`)))
      })
    return child
  }

  serve(address: string, port: number, user: number = USER.application): Promise<ChildProcess> {
    return this.start(user, [...NODE, PEER, 'serve', address, String(port)])
  }

  serveUdp(address: string, port: number): Promise<ChildProcess> {
    return this.start(USER.application, [...NODE, PEER, 'udp-serve', address, String(port)])
  }

  call(user: number, url: string, from?: string): Promise<Answer> {
    return this.#tell<Answer>(user, ['call', url, ...(from === undefined ? [] : [from])])
  }

  /** One GET with headers. */
  ask(user: number, url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.#tell<Response>(user, ['ask', url, JSON.stringify(headers)])
  }

  /** Runs a command in it to its end, as root. */
  run(...command: string[]): string {
    return run('nsenter', `--net=${this.path}`, ...command)
  }

  /** Sets a network parameter of it, such as `ipv4/conf/all/rp_filter`. */
  set(parameter: string, value: number): void {
    this.run('sh', '-c', `echo ${value} > /proc/sys/net/${parameter}`)
  }

  /** Sends a text as it is. */
  say(user: number, address: string, port: number, text: string): Promise<Answer> {
    return this.#tell(user, ['say', address, String(port), JSON.stringify(text)])
  }

  callUdp(user: number, address: string, port: number): Promise<Answer> {
    return this.#tell<Answer>(user, ['udp-call', address, String(port)])
  }

  /** Requests on one connection; the returned function makes the next. */
  async session(user: number, url: string): Promise<() => Promise<Answer>> {
    const child = await this.start(user, [...NODE, PEER, 'session', url], { ready: false })
    const lines = createInterface(child.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]()
    return async () => {
      child.stdin?.write('\n')
      const { value = '{"error":"ended"}' } = await lines.next()
      return JSON.parse(value) as Answer
    }
  }

  async close(): Promise<void> {
    for (const child of this.#processes.splice(0)) await end(child)
    run('ip', 'netns', 'del', this.name)
  }

  async #tell<T>(user: number, args: readonly string[]): Promise<T> {
    const child = await this.start(user, [...NODE, PEER, ...args], { ready: false })
    let output = ''
    for await (const part of child.stdout ?? []) output += part
    return JSON.parse(output) as T
  }
}

// The checkout may lie in a folder that other users cannot enter; the right to read it is the only one that is kept.
function asUser(user: number): readonly string[] {
  const right = '+dac_read_search'
  const kept = [`--inh-caps=-all,${right}`, `--ambient-caps=-all,${right}`]
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', ...kept]
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}

/** Connects two namespaces as a pod and what is outside of it are connected. */
export function link(pod: string, outside: string, ipv6: boolean): void {
  connect([pod, 'eth0', INSIDE], [outside, 'pod', OUTSIDE], ipv6)
  run('ip', '-n', pod, 'route', 'add', 'default', 'via', OUTSIDE.ipv4)
}

/** Connects them a second time: the pod gets an interface `net1`, as by Multus. */
export function linkAgain(pod: string, outside: string): void {
  connect([pod, 'net1', SECOND.inside], [outside, 'pod1', SECOND.outside], true)
}

type End = readonly [namespace: string, device: string, addresses: { readonly ipv4: string; readonly ipv6: string }]

function connect(inside: End, outside: End, ipv6: boolean): void {
  const [[pod, podDevice], [world, worldDevice]] = [inside, outside]
  const peer = ['peer', 'name', worldDevice, 'netns', world]
  run('ip', 'link', 'add', podDevice, 'netns', pod, 'type', 'veth', ...peer)
  for (const [name, device, { ipv4, ipv6: address }] of [inside, outside]) {
    run('ip', '-n', name, 'address', 'add', `${ipv4}/24`, 'dev', device)
    if (ipv6) run('ip', '-n', name, 'address', 'add', `${address}/64`, 'dev', device, 'nodad')
    run('ip', '-n', name, 'link', 'set', device, 'up')
  }
}

// Version 2 has one hierarchy, version 1 one for each controller.
const HIERARCHY = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids'

/** The cgroup of a pod, below one of the tests' own, as the kubelet's cgroupfs driver names it. */
export class PodCgroup {
  readonly #folders: readonly string[]

  constructor(podUid: string) {
    const root = join(HIERARCHY, `countersign-test-${process.pid}`)
    const parts = ['kubepods', 'burstable', `pod${podUid}`, 'container']
    this.#folders = [root, ...parts.map((_, index) => join(root, ...parts.slice(0, index + 1)))]
    mkdirSync(this.#folders.at(-1) ?? root, { recursive: true })
  }

  add(pid: number): void {
    writeFileSync(join(this.#folders.at(-1) ?? '', 'cgroup.procs'), String(pid))
  }

  async close(): Promise<void> {
    const leaf = join(this.#folders.at(-1) ?? '', 'cgroup.procs')
    await eventually(() => readFileSync(leaf, 'utf8') === '', 'every process of the pod has ended')
    for (const folder of this.#folders.toReversed())
      try {
        rmdirSync(folder)
      } catch {
        return // Another pod of the tests has a cgroup beside it.
      }
  }
}

/** A real Envoy in a namespace, as the user of the proxy. */
export async function startProxy(namespace: Namespace, ipv6: boolean, source?: DeliverySource): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-netns-'))
  const file = join(folder, 'envoy.json')
  writeFileSync(file, JSON.stringify(proxyConfiguration(ipv6, source)))
  await namespace.start(
    USER.proxy,
    [envoyBinary(), '-c', file, '--concurrency', '1', '--log-level', 'error', '--disable-hot-restart'],
    { ready: false, stdio: ['ignore', 'ignore', 'inherit'] }
  )
  await eventually(
    async () => (await namespace.call(USER.proxy, 'http://127.0.0.1:15021/')).by === '15021',
    'the proxy listens'
  )
  return () => rmSync(folder, { recursive: true })
}
