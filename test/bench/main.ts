// `npm run bench`: how fast and how large, each figure beside a peer that was measured in the same run.
//
// In: names of benchmarks, none for all of them; an Envoy. Out: a table for each on standard output.
// Never: asserts anything about time; compares with figures of another run or machine; leaves a process or a file.

import { Command } from 'commander'
import type { Benchmark } from './benchmark.ts'
import { BENCHMARKS } from './benchmarks.ts'
import { runBenchmark } from './run-benchmark.ts'
import { formatTable } from './table.ts'

const DEADLINE_MS = { alone: 120_000, onCluster: 600_000 }
const NAMES = BENCHMARKS.map(({ name }) => name)

const headingOf = ({ name, measured, peer, needsCluster = false }: Benchmark): string =>
  `${name}: ${measured}${needsCluster ? ' (needs a cluster)' : ''}\nbeside ${peer}`

await new Command('bench')
  .description('Measures Countersign beside peers, on this machine and in one run.')
  .argument('[name...]', 'the benchmarks to run; none: all of them')
  .addHelpText(
    'after',
    `
Benchmarks:
${BENCHMARKS.map(one => `  ${headingOf(one).replace('\n', '\n    ')}`).join('\n')}

A run takes about a minute; after ${DEADLINE_MS.alone / 1000} s it gives up. It uses addresses of 127.91.0.0/16 and 127.92.0.0/16.
Those that need a cluster run when they are named. They take the one of \`npm run cluster up\`, or bring one up and
down, need root, and give up after ${DEADLINE_MS.onCluster / 1000} s.

Exit code: 0 when all was measured, 1 when not, 2 when the command line was wrong.`
  )
  .showHelpAfterError('(`npm run bench -- --help` lists the benchmarks)')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(bench)
  .parseAsync()

async function bench(names: readonly string[], _options: object, command: Command): Promise<void> {
  const unknown = names.filter(name => !NAMES.includes(name))
  if (unknown.length > 0) command.error(`error: no benchmark ${unknown.join(', ')}; there are ${NAMES.join(', ')}`)
  const stopped = Promise.withResolvers<never>()
  stopped.promise.catch(() => undefined)
  process.once('SIGINT', () => stopped.reject(new Error('interrupted')))
  process.once('SIGTERM', () => stopped.reject(new Error('ended')))
  const wanted = BENCHMARKS.filter(({ name, needsCluster = false }) =>
    names.length === 0 ? !needsCluster : names.includes(name)
  )
  const deadlineMs = wanted.some(({ needsCluster }) => needsCluster) ? DEADLINE_MS.onCluster : DEADLINE_MS.alone
  const deadline = () => stopped.reject(new Error(`not finished within ${deadlineMs / 1000} s`))
  const timer = setTimeout(deadline, deadlineMs)
  for (const benchmark of wanted) {
    try {
      console.log(`${formatTable(headingOf(benchmark), await runBenchmark(benchmark, stopped.promise))}\n`)
    } catch (thrown) {
      const cause = thrown instanceof Error && thrown.cause !== undefined ? `: ${thrown.cause}` : ''
      console.error(`bench: ${benchmark.name}: ${thrown instanceof Error ? thrown.message : thrown}${cause}`)
      process.exit(1)
    }
  }
  clearTimeout(timer)
  // Nothing of it is needed any more, so nothing that is still open may hold the process.
  process.exit(0)
}
