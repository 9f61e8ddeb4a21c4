import { CountersignError } from '../errors/index.ts'
import { type Asked, refused } from './api-error.ts'
import { isObject, type KubeObject, record } from './object.ts'

/** Kubernetes, meta/v1 WatchEvent; an event of type ERROR is thrown instead. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: KubeObject
}

const TYPES: ReadonlySet<unknown> = new Set<WatchEvent['type']>(['ADDED', 'MODIFIED', 'DELETED'])
const BAD_GATEWAY = 502

/**
 * The events of a watch, one JSON object per line, until the server ends it. A line that the end cuts off is dropped:
 * its event comes again with the next watch.
 *
 * @throws CountersignError as the server's ERROR event says; ERR_KUBERNETES_UNAVAILABLE for what is no event
 */
export async function* watchEvents(chunks: AsyncIterable<Buffer>, asked: Asked): AsyncGenerator<WatchEvent> {
  for await (const line of linesOf(chunks)) {
    if (line.trim() === '') continue
    yield eventOf(line, asked)
  }
}

function eventOf(line: string, asked: Asked): WatchEvent {
  const event = parse(line, asked)
  const { type, object } = event
  if (type === 'ERROR') {
    const status = record(object)?.['code']
    throw refused(asked, typeof status === 'number' ? status : BAD_GATEWAY, object)
  }
  // A bookmark has nothing but a resource version.
  if (type === 'BOOKMARK') return { type, object: { ...record(object), metadata: metadataOf(object) } }
  if (!TYPES.has(type) || !isObject(object)) throw noEvent(asked)
  return { type: type as WatchEvent['type'], object }
}

function metadataOf(object: unknown): KubeObject['metadata'] {
  return { name: '', ...record(record(object)?.['metadata']) }
}

function parse(line: string, asked: Asked): Readonly<Record<string, unknown>> {
  try {
    const event = record(JSON.parse(line))
    if (event !== undefined) return event
  } catch {
    // Said below, without the line: it may hold a Secret.
  }
  throw noEvent(asked)
}

function noEvent({ method, path }: Asked): CountersignError {
  const message = `${method} ${path}: expected a watch event per line`
  return new CountersignError('ERR_KUBERNETES_UNAVAILABLE', message, { facts: { method, path, status: BAD_GATEWAY } })
}

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  // Lines are put together from pieces only when they are complete: adding up strings would copy a large one again
  // for every packet that it came in.
  let pieces: Buffer[] = []
  for await (const chunk of chunks) {
    let rest = chunk
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      yield Buffer.concat([...pieces, rest.subarray(0, end)]).toString()
      pieces = []
      rest = rest.subarray(end + 1)
    }
    if (rest.length > 0) pieces.push(rest)
  }
}
