import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Seen } from '../applications.ts'
import type { Answer, Request, TokenPod } from './token-pod.ts'

/** What is asked, what is answered, and where it is written that it should be. */
export interface Row {
  readonly says: string
  readonly source?: string
  /** Made when the row's turn comes: tokens have times in them. */
  readonly request: () => Request
  readonly status: number
  /** Where it is refused: in the body. */
  readonly reason?: RegExp
  /** Where it is let through: what the application saw. */
  readonly seen?: (seen: Seen) => void
}

/** A test for each row, judged by the answer and by what the application saw or did not see. */
export function testRows(rows: readonly Row[], pod: () => TokenPod): void {
  for (const row of rows) {
    const { says, source, request, status } = row
    it(`${status}: ${says}${source === undefined ? '' : ` (${source})`}`, async () => {
      const asked = request()
      judge(row, asked, await pod().ask(asked))
    })
  }
}

/** The same for rows again, each over mutual TLS. */
export function testRowsAsPeer(rows: readonly Row[], pod: () => TokenPod): void {
  for (const row of rows)
    it(`${row.status} to another workload: ${row.says}`, async () => {
      const asked = row.request()
      const answer = await pod().askAsPeer(asked)
      judge(row, asked, answer)
      if (answer.seen !== undefined)
        assert.match(String(answer.seen.headers['x-forwarded-client-cert']), /URI=spiffe:\/\/mesh.test\/ns\/shop\/sa\//)
    })
}

function judge({ status, reason, seen }: Row, request: Request, answer: Answer): void {
  assert.equal(answer.status, status, answer.body)
  if (status !== 200) assert.equal(answer.seen, undefined, 'the application was asked')
  else if (request.method !== 'HEAD') {
    assert.ok(answer.seen, 'the application was not asked')
    seen?.(answer.seen)
  }
  if (status === 401) judgeRefusal(request, answer, reason)
}

/** It says why (RFC 6750, section 3), and repeats nothing of what might be a token. */
function judgeRefusal(request: Request, { headers, body }: Answer, reason: RegExp | undefined): void {
  const challenge = headers['www-authenticate'] ?? ''
  assert.match(challenge, /^Bearer realm="countersign"(, error="invalid_token")?$/)
  if (request.method !== 'HEAD') {
    assert.match(body, reason ?? /^Jw[tk]/)
    assert.equal(challenge.includes('error'), body !== 'Jwt is missing')
  }
  const said = `${JSON.stringify(headers)}${body}`
  const sent = [request.token ?? '', request.target ?? '', ...(request.headers ?? []).map(([, value]) => value)]
  for (const text of sent.flatMap(value => value.match(/[\w-]{12,}/g) ?? [])) assert.ok(!said.includes(text), said)
}

/** Values of a header as they came, one by one; spelled exactly so. */
export const rawValues = ({ rawHeaders }: Seen, name: string): readonly string[] =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1] === name)
