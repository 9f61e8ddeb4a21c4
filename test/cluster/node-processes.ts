import type { Machine } from './machine.ts'

/** A process of a node. */
export interface NodeProcess {
  /** As the node numbers it: of use to programs that run there. */
  readonly pid: number
  /** MiB. */
  readonly resident: number
  readonly command: string
}

/** Everything that runs on a machine, containers included. Source: ps(1). */
export async function processesOf(machine: Machine): Promise<readonly NodeProcess[]> {
  const { stdout } = await machine.run(['ps', '-e', '-ww', '-o', 'pid=,rss=,args='])
  return stdout
    .split('\n')
    .map(line => /^\s*(\d+)\s+(\d+) (.*)$/.exec(line))
    .filter(found => found !== null)
    .map(([, pid, kibibytes, command = '']) => ({
      pid: Number(pid),
      resident: Number(kibibytes) / 1024,
      command
    }))
}
