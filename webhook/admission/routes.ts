import type { Server } from 'node:https'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { answerReview, type Verdict } from './answer.ts'
import type { AdmissionMetrics } from './metrics.ts'
import { type AdmissionRequest, parseReview } from './review.ts'

export type Reviewer = (request: AdmissionRequest) => Verdict | Promise<Verdict>

export interface ReviewRoutesOptions {
  /** What decides, by path. */
  readonly reviewers: Readonly<Record<string, Reviewer>>
  readonly metrics: AdmissionMetrics
  readonly log: Logger
}

/** Bytes. An object may have 3 MiB (the API server's limit for requests), and an update carries the old one as well. */
export const BODY_LIMIT = 7 * 1024 * 1024

/**
 * One POST route per reviewer, and an answer in JSON to everything else: 404 and 405, 415 for another content type,
 * 413 and 400 for a body that is no review, naming the field.
 */
export function addReviewRoutes(
  server: FastifyInstance<Server>,
  { reviewers, metrics, log }: ReviewRoutesOptions
): void {
  const paths = Object.keys(reviewers)
  // JSON is the only thing that is read; Fastify would take plain text as well.
  server.removeContentTypeParser('text/plain')
  for (const [path, reviewer] of Object.entries(reviewers))
    server.post(path, async (request, reply) => {
      const started = performance.now()
      const asked = parseReview(request.body)
      const verdict = await reviewer(asked)
      const durationMs = performance.now() - started
      metrics.reviewed(path, verdict.outcome, verdict.reason ?? '', durationMs / 1_000)
      log.info({ path, ...describe(asked), ...describeVerdict(verdict), durationMs }, 'reviewed')
      return reply.send(answerReview(asked.uid, verdict))
    })
  const turnAway = (reply: FastifyReply, status: number, error: object): FastifyReply => {
    metrics.turnedAway(status)
    return reply.code(status).send({ error })
  }
  // Before the body is read: whoever asks at the wrong place is not listened to.
  server.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return
    const known = paths.includes(pathOf(request))
    const message = known ? `expected POST, got ${request.method}` : `unknown path: expected one of ${paths.join(', ')}`
    return turnAway(reply, known ? 405 : 404, { message })
  })
  server.setErrorHandler((thrown: FastifyError | CountersignError, request, reply) => {
    const [status, message] = refusalOf(thrown)
    const facts = { err: thrown, path: pathOf(request), status, peer: request.ip }
    log[status < 500 ? 'info' : 'error'](facts, 'a request was turned away')
    return turnAway(reply, status, { code: status < 500 ? 'ERR_ADMISSION_REVIEW_INVALID' : 'ERR_INTERNAL', message })
  })
}

// The API server appends its deadline as a query, which is not read.
const pathOf = ({ url }: FastifyRequest): string => url.split('?', 1)[0] ?? url

// What Fastify found wrong before a reviewer saw the request, in our words.
const BAD_REQUESTS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'content-type: expected application/json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'body: expected an AdmissionReview, got nothing',
  FST_ERR_CTP_INVALID_JSON_BODY: 'body: expected JSON',
  FST_ERR_CTP_BODY_TOO_LARGE: `body: expected at most ${BODY_LIMIT} bytes`
}

function refusalOf(thrown: FastifyError | CountersignError): readonly [number, string] {
  if (thrown instanceof CountersignError && thrown.code === 'ERR_ADMISSION_REVIEW_INVALID') return [400, thrown.message]
  const status = 'statusCode' in thrown ? (thrown.statusCode ?? 500) : 500
  if (status >= 500) return [500, 'internal error']
  return [status, BAD_REQUESTS[thrown.code] ?? thrown.message]
}

function describe({
  uid,
  kind,
  operation,
  namespace,
  name,
  object,
  dryRun
}: AdmissionRequest): Record<string, unknown> {
  // A pod of a controller has no name yet, only the beginning of one.
  const generateName = (object as { metadata?: { generateName?: unknown } } | null)?.metadata?.generateName
  const named = name !== '' ? name : typeof generateName === 'string' ? `${generateName}…` : ''
  return { uid, kind: kind.kind, operation, namespace, name: named, ...(dryRun ? { dryRun } : {}) }
}

function describeVerdict({ outcome, reason, message }: Verdict): Record<string, unknown> {
  return { outcome, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) }
}
