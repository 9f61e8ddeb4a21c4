import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CountersignError } from '../../shared/errors/index.ts'
import type { PodProcess, PodProcesses } from './pod-processes.ts'

/** The network namespace of a pod, held open: it is that of no other pod for as long. */
export interface PodNetwork {
  readonly descriptor: number
  /** Some interface other than lo has a global IPv6 address. */
  readonly hasIpv6: boolean
  /** The kernel has IPv6: addresses may come at any time, link-local ones are there. */
  readonly speaksIpv6: boolean
  /** There is a table nat of ip_tables, whoever made it; or that cannot be told. */
  readonly hasLegacyTables: boolean
  /** Its users have other numbers on the node: a pod with `hostUsers: false`. */
  readonly hasOwnUsers: boolean
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
    const opened = openNetworkOf(process.pid, proc)
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
  /** Two that are the same have the same. */
  readonly id: string
}

/**
 * The network namespace of a process. Undefined for one that has ended, or has just entered another namespace: its
 * container is being made.
 *
 * @throws CountersignError ERR_CAPTURE_FAILED when namespaces may not be looked at
 */
export function openNetworkOf(pid: number, proc: string): OpenedNamespace | undefined {
  const path = namespacePath(pid, proc)
  const descriptor = unlessGone(path, () => openSync(path, 'r'))
  if (descriptor === undefined) return undefined
  const close = (): void => closeSync(descriptor)
  try {
    const id = identity(fstatSync(descriptor, { bigint: true }))
    const looked = {
      ...lookForIpv6(pid, proc),
      hasLegacyTables: hasLegacyTables(pid, proc),
      hasOwnUsers: identityOf(pid, proc, 'user') !== identityOf('self', proc, 'user')
    }
    if (identityOf(pid, proc) === id) return { descriptor, id, ...looked, close }
  } catch (thrown) {
    close()
    throw thrown
  }
  close()
  return undefined
}

function namespacePath(pid: number | 'self', proc: string, kind: 'net' | 'user' = 'net'): string {
  return join(proc, String(pid), 'ns', kind)
}

/** Device and inode tell namespaces apart (namespaces(7)); undefined for a process that has ended. */
function identityOf(pid: number | 'self', proc: string, kind: 'net' | 'user' = 'net'): string | undefined {
  const path = namespacePath(pid, proc, kind)
  return unlessGone(path, () => identity(statSync(path, { bigint: true })))
}

function identity({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}/${ino}`
}

// Lines of address, interface index, prefix length, scope (00 is global), flags, interface; no file without IPv6.
function lookForIpv6(pid: number, proc: string): Pick<PodNetwork, 'hasIpv6' | 'speaksIpv6'> {
  const path = join(proc, String(pid), 'net/if_inet6')
  const text = unlessGone(path, () => readFileSync(path, 'utf8'))
  const lines = text?.split('\n').map(line => line.trim().split(/\s+/)) ?? []
  return {
    hasIpv6: lines.some(fields => fields[3] === '00' && fields[5] !== 'lo'),
    speaksIpv6: text !== undefined
  }
}

// Names of tables, one a line; no file without ip_tables. The root of the pod's user namespace may read them, who may
// be another than that of the node.
function hasLegacyTables(pid: number, proc: string): boolean {
  return ['ip_tables_names', 'ip6_tables_names'].some(name => {
    try {
      return /^nat$/m.test(readFileSync(join(proc, String(pid), 'net', name), 'utf8'))
    } catch (thrown) {
      return !GONE.has((thrown as NodeJS.ErrnoException).code)
    }
  })
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
