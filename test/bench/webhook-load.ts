import autocannon from 'autocannon'

const CONNECTIONS = 10

export interface Load {
  /** `https://host:port/path` */
  readonly url: string
  readonly body: string
  readonly seconds: number
}

export interface LoadResult {
  /** Seconds. */
  readonly duration: number
  /** How long each answer took, milliseconds. */
  readonly times: readonly number[]
  /** The body of the last answer. */
  readonly lastBody: string
}

/**
 * Posts the same JSON over ten kept-alive connections, each of which waits for its answer.
 *
 * @throws Error unless every answer has status 200 and a body that `accept` accepts
 */
export async function postRepeatedly(load: Load, accept: (body: string) => boolean): Promise<LoadResult> {
  const times: number[] = []
  let lastBody = ''
  const instance = autocannon({
    url: load.url,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: load.body,
    connections: CONNECTIONS,
    duration: load.seconds,
    verifyBody: body => {
      lastBody = body
      return accept(body)
    }
  })
  instance.on('response', (_client, _status, _bytes, ms) => times.push(ms))
  const { duration, non2xx, errors, mismatches } = await instance
  if (times.length === 0 || non2xx + errors + mismatches > 0)
    throw new Error(
      `${load.url} gave ${times.length} answers, ${non2xx} with a wrong status, ${mismatches} with a wrong body, and ${errors} failed; the last was ${lastBody.slice(0, 500)}`
    )
  return { duration, times, lastBody }
}
