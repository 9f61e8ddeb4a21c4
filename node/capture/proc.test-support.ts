import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FakeProcess {
  readonly pid: number
  /** Its pod; none: a process of the node. */
  readonly pod?: string
  readonly startTime?: number
  /** The name of its network namespace; that of the node unless given. */
  readonly network?: string
  readonly ipv6?: string
  readonly program?: string
  /** The shim of the container runtime unless given, a process of the node. */
  readonly parent?: number
}

/** What started the containers of every pod. */
export const SHIM = 50

/** A folder that looks like procfs, as far as capture looks. Namespaces are files; processes that share one share it. */
export class FakeProc {
  readonly path = mkdtempSync(join(tmpdir(), 'countersign-proc-'))

  constructor() {
    mkdirSync(join(this.path, 'namespaces'))
    mkdirSync(join(this.path, 'sys'))
    for (const name of ['node', 'agent']) writeFileSync(this.namespace(name), name)
    this.add({ pid: 1, parent: 0, program: 'systemd' })
    this.add({ pid: SHIM, parent: 1, program: 'containerd-shim' })
    this.#network('self', 'agent')
  }

  namespace(name: string): string {
    return join(this.path, 'namespaces', name)
  }

  add({ pid, pod, startTime = pid, network = 'node', ipv6 = '', program = 'envoy', parent = SHIM }: FakeProcess): void {
    const folder = join(this.path, String(pid))
    mkdirSync(join(folder, 'net'), { recursive: true })
    const path = pod === undefined ? '/system.slice/kubelet.service' : `/kubepods/burstable/pod${pod}/0123`
    writeFileSync(join(folder, 'cgroup'), `0::${path}\n`)
    writeFileSync(join(folder, 'stat'), `${pid} (${program}) S ${parent} ${'0 '.repeat(17)}${startTime} 0 0\n`)
    writeFileSync(join(folder, 'net/if_inet6'), ipv6)
    this.#network(String(pid), network)
  }

  /** The process enters another namespace. */
  move(pid: number, network: string): void {
    this.#network(String(pid), network)
  }

  end(pid: number): void {
    rmSync(join(this.path, String(pid)), { recursive: true })
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }

  #network(process: string, name: string): void {
    const folder = join(this.path, process, 'ns')
    mkdirSync(folder, { recursive: true })
    try {
      writeFileSync(this.namespace(name), name, { flag: 'wx' })
    } catch {}
    linkSync(this.namespace(name), join(folder, 'new'))
    renameSync(join(folder, 'new'), join(folder, 'net'))
    rmSync(join(folder, 'new'), { force: true })
  }
}
