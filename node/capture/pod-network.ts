import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CountersignError } from '../../shared/errors/index.ts'
import type { PodProcess, PodProcesses } from './pod-processes.ts'

/** The network namespace of a pod, held open: it is that of no other pod for as long. */
export interface PodNetwork {
  readonly descriptor: number
  /** Some interface other than lo has a global IPv6 address. */
  readonly hasIpv6: boolean
  close(): void
}

/**
 * Opens the network namespace of a pod.
 *
 * It is that of the pod's oldest process outside of the node's own namespace: the first process of a pod is that of
 * its sandbox or its proxy, and what a pod makes for itself (containers in containers) comes later. Some processes
 * that a container runtime runs for a pod (conmon) stay in the namespace of the node: they are passed over.
 *
 * What the node's own namespace is, the runtime tells: it is that of the process which started the container. This
 * holds for a node that is itself a container, too.
 *
 * @param proc where procfs is mounted, with the processes of the node in it
 * @throws CountersignError ERR_POD_NOT_FOUND; ERR_CAPTURE_REFUSED when the pod uses the network of its node;
 *   ERR_CAPTURE_FAILED when namespaces may not be looked at
 */
export async function openPodNetwork(podUid: string, processes: PodProcesses, proc = '/proc'): Promise<PodNetwork> {
  let ofNode = false
  for (const process of await processes.find(podUid)) {
    const opened = open(process.pid, proc)
    if (opened === undefined) continue
    const { id, ...network } = opened
    const verdict = judge(id, podUid, process, processes, proc)
    if (verdict === "the pod's") return network
    network.close()
    if (verdict instanceof Error) throw verdict
    ofNode ||= verdict === "the node's"
  }
  if (ofNode)
    throw new CountersignError(
      'ERR_CAPTURE_REFUSED',
      `pod ${podUid} uses the network of its node, expected one of its own`
    )
  throw new CountersignError('ERR_POD_NOT_FOUND', `no process of pod ${podUid} runs on this node`)
}

type Verdict = "the pod's" | "the node's" | 'unknown' | CountersignError

/** Whose a namespace is that a process of a pod was found in; unknown when processes have ended meanwhile. */
function judge(id: string, podUid: string, process: PodProcess, processes: PodProcesses, proc: string): Verdict {
  try {
    const starter = processes.starterOf(podUid, process)
    const ofStarter = starter === undefined ? undefined : identityOf(starter, proc)
    // Only now is it certain that what was opened was this process's, and that the process was the pod's.
    if (ofStarter === undefined || !processes.isCurrent(podUid, process)) return 'unknown'
    return [ofStarter, identityOf('self', proc), ofFirstProcess(proc)].includes(id) ? "the node's" : "the pod's"
  } catch (thrown) {
    return CountersignError.from(thrown, 'ERR_CAPTURE_FAILED')
  }
}

// One more guard, where it can be had: that process may have more rights than this one, and is then not shown to it.
function ofFirstProcess(proc: string): string | undefined {
  try {
    return identityOf(1, proc)
  } catch {
    return undefined
  }
}

interface OpenedNamespace extends PodNetwork {
  readonly id: string
}

// Undefined for a process that has ended, or has just entered another namespace: its container is being made.
function open(pid: number, proc: string): OpenedNamespace | undefined {
  const path = namespacePath(pid, proc)
  const descriptor = unlessGone(path, () => openSync(path, 'r'))
  if (descriptor === undefined) return undefined
  const close = (): void => closeSync(descriptor)
  try {
    const id = identity(fstatSync(descriptor, { bigint: true }))
    const hasIpv6 = hasGlobalIpv6(pid, proc)
    if (identityOf(pid, proc) === id) return { descriptor, id, hasIpv6, close }
  } catch (thrown) {
    close()
    throw thrown
  }
  close()
  return undefined
}

function namespacePath(pid: number | 'self', proc: string): string {
  return join(proc, String(pid), 'ns/net')
}

/** Device and inode tell namespaces apart (namespaces(7)); undefined for a process that has ended. */
function identityOf(pid: number | 'self', proc: string): string | undefined {
  const path = namespacePath(pid, proc)
  return unlessGone(path, () => identity(statSync(path, { bigint: true })))
}

function identity({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}/${ino}`
}

// Lines of address, interface index, prefix length, scope (00 is global), flags, interface; no file without IPv6.
function hasGlobalIpv6(pid: number, proc: string): boolean {
  const path = join(proc, String(pid), 'net/if_inet6')
  const lines = unlessGone(path, () => readFileSync(path, 'utf8'))?.split('\n') ?? []
  return lines.map(line => line.trim().split(/\s+/)).some(fields => fields[3] === '00' && fields[5] !== 'lo')
}

const GONE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ESRCH', 'EINVAL'])

function unlessGone<T>(path: string, look: () => T): T | undefined {
  try {
    return look()
  } catch (thrown) {
    if (GONE.has((thrown as NodeJS.ErrnoException).code)) return undefined
    const needs = 'CAP_SYS_PTRACE is needed, and no AppArmor profile'
    throw CountersignError.from(thrown, 'ERR_CAPTURE_FAILED', `${path} cannot be looked at: ${needs}`)
  }
}
