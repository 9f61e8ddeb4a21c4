import type { Benchmark, Figures } from './benchmark.ts'

/**
 * Runs one benchmark and closes all that it opened, the last one first, whatever became of it.
 *
 * @param stopped - rejects when there is no more waiting for it
 * @throws what the benchmark threw, or why it was stopped
 */
export async function runBenchmark(benchmark: Benchmark, stopped: Promise<never>): Promise<Figures> {
  const closers: (() => Promise<unknown>)[] = []
  const figures = benchmark.run(close => closers.push(close))
  // It may fail once more when what it is waiting for is closed.
  figures.catch(() => undefined)
  try {
    return await Promise.race([figures, stopped])
  } finally {
    for (const close of closers.reverse()) await close()
  }
}
