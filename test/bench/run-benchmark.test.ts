import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AtEnd, Benchmark, Figures } from './benchmark.ts'
import { runBenchmark } from './run-benchmark.ts'

const FIGURES: Figures = { columns: [], rows: [] }
const never = new Promise<never>(() => undefined)
const benchmark = (run: (atEnd: AtEnd) => Promise<Figures>): Benchmark => ({
  name: 'test',
  measured: 'a test',
  peer: 'nothing',
  run
})

describe('a benchmark', () => {
  it('resolves with its figures when everything it opened is closed, the last one first', async () => {
    const closed: string[] = []
    const figures = await runBenchmark(
      benchmark(async atEnd => {
        for (const name of ['first', 'second']) atEnd(async () => closed.push(name))
        return FIGURES
      }),
      never
    )
    assert.equal(figures, FIGURES)
    assert.deepEqual(closed, ['second', 'first'])
  })

  it('that fails is closed all the same', async () => {
    let closed = false
    const run = async (atEnd: AtEnd): Promise<Figures> => {
      atEnd(async () => {
        closed = true
      })
      throw new Error('no Envoy')
    }
    await assert.rejects(runBenchmark(benchmark(run), never), /no Envoy/)
    assert.equal(closed, true)
  })

  it('that is stopped is closed, and what it throws then does not matter', async () => {
    const open = Promise.withResolvers<Figures>()
    const run = (atEnd: AtEnd): Promise<Figures> => {
      atEnd(async () => open.reject(new Error('closed under its feet')))
      return open.promise
    }
    await assert.rejects(runBenchmark(benchmark(run), Promise.reject(new Error('interrupted'))), /interrupted/)
  })
})
