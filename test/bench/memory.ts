import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { LocalProcess, until } from '../../cli/local/index.ts'
import { BenchMesh } from './bench-mesh.ts'
import type { AtEnd, Benchmark } from './benchmark.ts'
import { median } from './statistics.ts'
import { formatFigure } from './table.ts'

const PROGRAMS = ['webhook', 'authority', 'agent'] as const
const PODS = [0, 2, 20]
const SAMPLES = 5
const BETWEEN_SAMPLES_MS = 300

export const memory: Benchmark = {
  name: 'memory',
  measured: 'resident MiB of each program, proxies and applications left out',
  peer: 'Node.js alone, and with grpc-js and fastify loaded',
  async run(atEnd) {
    const bare = await residentOfNode('', atEnd)
    const loaded = await residentOfNode("await import('@grpc/grpc-js'); await import('fastify');", atEnd)
    const bench = await BenchMesh.start(atEnd)
    const measured: Record<(typeof PROGRAMS)[number], number[]> = { webhook: [], authority: [], agent: [] }
    let running = 0
    for (const pods of PODS) {
      await bench.startPods(pods - running)
      running = pods
      const all = await Promise.all(PROGRAMS.map(name => resident(bench.mesh.program(name))))
      for (const [index, name] of PROGRAMS.entries()) measured[name].push(all[index] ?? Number.NaN)
    }
    return {
      columns: ['after start', ...PODS.slice(1).map(pods => `${pods} pods`)],
      rows: [
        ...PROGRAMS.map(name => ({ name, cells: measured[name].map(formatFigure) })),
        { name: 'Node.js', cells: [formatFigure(bare)] },
        { name: 'Node.js with grpc-js and fastify', cells: [formatFigure(loaded)] }
      ]
    }
  }
}

/** MiB, the median of some moments: a collection of garbage may come between any two. */
async function resident(running: LocalProcess): Promise<number> {
  const samples: number[] = []
  for (let sample = 0; sample < SAMPLES; sample++) {
    await pause(BETWEEN_SAMPLES_MS)
    samples.push(await residentNow(running))
  }
  return median(samples)
}

/** Source: proc_pid_status(5). */
async function residentNow({ name, pid }: LocalProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(cause => {
    throw new Error(`the memory of ${name} cannot be read from /proc/${pid}/status, which is there on Linux only`, {
      cause
    })
  })
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? []
  if (kibibytes === undefined) throw new Error(`${name} has no VmRSS: it has ended`)
  return Number(kibibytes) / 1024
}

/** @param work - what that process does before it does nothing */
async function residentOfNode(work: string, atEnd: AtEnd): Promise<number> {
  const script = `${work} console.log('idle'); setInterval(() => {}, 60_000)`
  const node = await LocalProcess.start({
    name: 'Node.js',
    command: process.execPath,
    args: ['--input-type=module', '--eval', script],
    folder: join(import.meta.dirname, '../..')
  })
  atEnd(() => node.stop())
  await until('Node.js to be idle', () => node.output.includes('idle') || undefined)
  const measured = await resident(node)
  await node.stop()
  return measured
}
