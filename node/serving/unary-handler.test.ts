import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ServerUnaryCall, type ServiceError, status } from '@grpc/grpc-js'
import { Registry } from 'prom-client'
import { CountersignError, type ErrorCode } from '../../shared/errors/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { CallMetrics, unaryHandler } from './index.ts'

interface Ended {
  readonly error: Partial<ServiceError> | null
  readonly response: string | undefined
  readonly lines: string
  readonly metrics: string
}

async function call(answer: (request: string) => string | Promise<string>): Promise<Ended> {
  const lines: string[] = []
  const log = createLogger('node', 'trace', { write: line => void lines.push(line) })
  const registry = new Registry()
  const handler = unaryHandler('Publish', answer, { log, observer: new CallMetrics(registry) })
  const ended = await new Promise<Pick<Ended, 'error' | 'response'>>(resolve => {
    const request = { request: 's3cret' } as ServerUnaryCall<string, string>
    handler(request, (error, response) => resolve({ error, response: response ?? undefined }))
  })
  return { ...ended, lines: lines.join(''), metrics: await registry.metrics() }
}

describe('a handler', () => {
  for (const [title, answer] of [
    ['at once', (request: string) => `${request}!`],
    ['later', async (request: string) => `${request}!`]
  ] as const)
    it(`passes on what is answered ${title}, and logs nothing`, async () => {
      const { error, response, lines, metrics } = await call(answer)
      assert.deepEqual([error, response, lines], [null, 's3cret!', ''])
      assert.match(metrics, /countersign_node_calls_total\{method="Publish",status="OK"\} 1/)
      assert.match(metrics, /countersign_node_call_duration_seconds_count\{method="Publish"\} 1/)
    })

  const told: Partial<Record<ErrorCode, status>> = {
    ERR_VOLUME_REFUSED: status.INVALID_ARGUMENT,
    ERR_VOLUME_UNAVAILABLE: status.UNAVAILABLE,
    ERR_CAPTURE_REFUSED: status.FAILED_PRECONDITION,
    ERR_CAPTURE_FAILED: status.UNAVAILABLE,
    ERR_POD_NOT_FOUND: status.NOT_FOUND
  }
  for (const [code, expected] of Object.entries(told))
    it(`tells of ${code} with ${status[expected]} and its message`, async () => {
      const { error, lines, metrics } = await call(() => {
        throw new CountersignError(code as ErrorCode, 'field x: expected y', { cause: new Error('inner') })
      })
      assert.deepEqual([error?.code, error?.details], [expected, 'field x: expected y'])
      assert.match(lines, new RegExp(`"code":"${code}".*inner`))
      assert.doesNotMatch(lines, /s3cret/)
      assert.match(metrics, new RegExp(`status="${status[expected]}"} 1`))
    })

  for (const [title, thrown] of [
    ['an error of the system', new Error('EIO: inner')],
    ['a mistake of the program', new TypeError('inner')],
    ['another of our errors', new CountersignError('ERR_INTERNAL', 'inner')],
    ['something that is no error', 'inner']
  ] as const)
    it(`makes ${title} UNAVAILABLE, which is never final, and tells nothing of it`, async () => {
      const { error, lines } = await call(() => Promise.reject(thrown))
      assert.equal(error?.code, status.UNAVAILABLE)
      assert.doesNotMatch(error?.details ?? '', /inner/)
      assert.match(lines, /inner/)
    })
})
