import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { until } from './until.ts'

/** A process that is not taken for another one which got the same number later. */
export interface ProcessId {
  readonly pid: number
  /** Ticks since boot. */
  readonly startedAt: string
}

/** `undefined` when there is no such process, or it has ended and is only waited for. */
export function identify(pid: number): ProcessId | undefined {
  const fields = statFields(pid)
  // proc(5): field 3 is the state, field 22 the start time; the name, in parentheses, may hold blanks.
  return fields === undefined || fields[0] === 'Z' ? undefined : { pid, startedAt: fields[19] ?? '' }
}

export const isAlive = ({ pid, startedAt }: ProcessId): boolean => identify(pid)?.startedAt === startedAt

function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** The processes that this one started and that still run. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** Every process of this machine whose network namespace is that one, in the words of /proc: `net:[4026531840]`. */
export function processesIn(namespace: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => networkOf(pid) === namespace)
}

function networkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return undefined
  }
}

/** Sends a signal; a process that is gone is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown
  }
}

/** Waits until the process is gone; `false` when it still runs at the deadline. */
export async function goneWithin(id: ProcessId, deadlineMs: number): Promise<boolean> {
  const late = new Error('late')
  try {
    await until(
      () => (isAlive(id) ? undefined : true),
      deadlineMs,
      () => late
    )
    return true
  } catch (thrown) {
    if (thrown !== late) throw thrown
    return false
  }
}
