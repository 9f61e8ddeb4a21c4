import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { podUidOf } from './pod-cgroup.ts'

/** A process of a pod. Two with the same id are the same process if they began at the same time. */
export interface PodProcess {
  readonly pid: number
  /** In clock ticks since the machine started: proc_pid_stat(5), field 22. */
  readonly startTime: number
}

// A chain of parents that changes while it is climbed must come to an end.
const MOST_ANCESTORS = 64

/**
 * Finds the processes of pods. Looking at every process of a node takes tens of milliseconds on a full one, so that
 * all who ask in the same moment share one look.
 */
export class PodProcesses {
  readonly #proc: string
  #waiting: { readonly podUid: string; resolve(found: readonly PodProcess[]): void; reject(thrown: unknown): void }[] =
    []

  /** @param proc where procfs is mounted, with the processes of the node in it */
  constructor(proc = '/proc') {
    this.#proc = proc
  }

  /** Those of a pod that run at this moment, the oldest first. */
  find(podUid: string): Promise<readonly PodProcess[]> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#look())
      this.#waiting.push({ podUid, resolve, reject })
    })
  }

  /** Whether a process that was found runs still, and in the same pod. */
  isCurrent(podUid: string, { pid, startTime }: PodProcess): boolean {
    return this.#podOf(pid) === podUid && this.#startTimeOf(pid) === startTime
  }

  /**
   * The process that started a process of a pod from outside: a part of the container runtime, or whoever took over
   * from that. Undefined when there is none, because one of them has ended.
   */
  starterOf(podUid: string, { pid }: PodProcess): number | undefined {
    let ancestor = this.#parentOf(pid)
    for (let step = 0; ancestor !== undefined && ancestor > 0 && step < MOST_ANCESTORS; step++) {
      if (this.#podOf(ancestor) !== podUid) return ancestor
      ancestor = this.#parentOf(ancestor)
    }
    return undefined
  }

  #look(): void {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      const found = this.#scan(new Set(waiting.map(({ podUid }) => podUid)))
      for (const { podUid, resolve } of waiting) resolve(found.get(podUid) ?? [])
    } catch (thrown) {
      for (const { reject } of waiting) reject(thrown)
    }
  }

  #scan(podUids: ReadonlySet<string>): ReadonlyMap<string, readonly PodProcess[]> {
    const found = readdirSync(this.#proc).flatMap(name => {
      const pid = /^[1-9][0-9]*$/.test(name) ? Number(name) : 0
      const podUid = pid === 0 ? undefined : this.#podOf(pid)
      if (podUid === undefined || !podUids.has(podUid)) return []
      const startTime = this.#startTimeOf(pid)
      return startTime === undefined ? [] : [{ podUid, process: { pid, startTime } }]
    })
    found.sort((a, b) => a.process.startTime - b.process.startTime || a.process.pid - b.process.pid)
    const byPod = new Map<string, PodProcess[]>()
    for (const { podUid, process } of found) byPod.set(podUid, [...(byPod.get(podUid) ?? []), process])
    return byPod
  }

  #podOf(pid: number): string | undefined {
    const text = this.#read(pid, 'cgroup')
    return text === undefined ? undefined : podUidOf(text)
  }

  #startTimeOf(pid: number): number | undefined {
    return this.#statOf(pid, 22)
  }

  #parentOf(pid: number): number | undefined {
    return this.#statOf(pid, 4)
  }

  /** A number out of proc_pid_stat(5), by its place there, the first being 1. */
  #statOf(pid: number, place: number): number | undefined {
    const text = this.#read(pid, 'stat')
    // The second is the name of the program, in parentheses, and may hold anything.
    const field = text?.slice(text.lastIndexOf(')') + 2).split(' ')[place - 3]
    return field === undefined ? undefined : Number(field)
  }

  // A process that ends meanwhile has no files any more, or files without content.
  #read(pid: number, file: string): string | undefined {
    try {
      return readFileSync(join(this.#proc, String(pid), file), 'utf8')
    } catch {
      return undefined
    }
  }
}
