import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apply, mergePatch } from './patch.test-support.ts'

type Json = Record<string, unknown>

export interface StoredObject extends Json {
  metadata: Json & { name: string; namespace?: string; resourceVersion?: string }
}

interface Event {
  readonly version: number
  readonly kind: string
  readonly type: string
  readonly object: StoredObject
}

interface Watch {
  readonly path: Path
  readonly selected: string | undefined
  readonly response: ServerResponse
}

interface Path {
  /** Group, version and plural, for example `/api/v1/pods`. */
  readonly kind: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  /** It is the status of the object that is meant. */
  readonly status: boolean
}

/**
 * An API server in memory, over real HTTP, with what Countersign uses of it (Kubernetes, "API Concepts"): lists in
 * pages, watches with bookmarks and 410, creation, replacement with a precondition, merge patches and apply, also of
 * the status alone. And with what happens to real ones: connections that are reset or fall silent, answers that fail.
 */
export class FakeApiServer {
  readonly requests: { readonly method: string; readonly path: string; readonly query: URLSearchParams }[] = []
  readonly objects = new Map<string, StoredObject>()
  /** Kinds that are not installed, for example `/apis/security.istio.io/v1/peerauthentications`. */
  readonly missing = new Set<string>()
  /** Texts that are served as they are, by path. */
  readonly texts = new Map<string, string>()
  /** Called first; `true` when it has answered. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false
  connections = 0
  readonly #server: Server
  readonly #folder = mkdtempSync(join(tmpdir(), 'countersign-kube-'))
  readonly #sockets = new Set<Socket>()
  readonly #watches = new Set<Watch>()
  #events: Event[] = []
  #version = 100
  #oldest = 0

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response))
    this.#server.keepAliveTimeout = 60_000
    this.#server.on('connection', socket => {
      this.connections++
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  static async start(port = 0): Promise<FakeApiServer> {
    const fake = new FakeApiServer()
    await fake.listen(port)
    return fake
  }

  async listen(port = this.port): Promise<void> {
    await once(this.#server.listen(port, '127.0.0.1'), 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Path of a kubeconfig file that leads here. */
  get kubeconfig(): string {
    const path = join(this.#folder, 'kubeconfig.json')
    const cluster = { server: `http://127.0.0.1:${this.port}`, 'insecure-skip-tls-verify': true }
    const config = {
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: 'a-token' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x'
    }
    writeFileSync(path, JSON.stringify(config))
    return path
  }

  get watches(): number {
    return this.#watches.size
  }

  /** Makes or replaces an object; `kind` is for example `/api/v1/pods`. */
  put(kind: string, object: object): StoredObject {
    const stored = structuredClone(object) as StoredObject
    const key = keyOf(kind, stored.metadata.namespace, stored.metadata.name)
    const type = this.objects.has(key) ? 'MODIFIED' : 'ADDED'
    stored.metadata.resourceVersion = String(++this.#version)
    this.objects.set(key, stored)
    this.#record({ version: this.#version, kind, type, object: stored })
    return stored
  }

  remove(kind: string, name: string, namespace?: string): void {
    const key = keyOf(kind, namespace, name)
    const object = this.objects.get(key)
    if (object === undefined) throw new Error(`${key} is not there`)
    this.objects.delete(key)
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } }
    this.#record({ version: this.#version, kind, type: 'DELETED', object: last })
  }

  find(kind: string, name: string, namespace?: string): StoredObject | undefined {
    return this.objects.get(keyOf(kind, namespace, name))
  }

  /** Forgets what happened: watches from before are answered with 410. */
  compact(): void {
    this.#events = []
    this.#oldest = ++this.#version
  }

  /** Tells every watch how far it is. */
  bookmark(): void {
    this.#version++
    for (const { response } of this.#watches) {
      const metadata = { resourceVersion: String(this.#version), creationTimestamp: null }
      response.write(line('BOOKMARK', { kind: 'X', metadata }))
    }
  }

  /** Ends every watch as the server does when its time is over. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end()
    this.#watches.clear()
  }

  /** Sends every watch a text as it is. */
  sendRaw(text: string): void {
    for (const { response } of this.#watches) response.write(text)
  }

  /** Resets every connection. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Is gone: connections are reset, new ones are refused. */
  async stop(): Promise<number> {
    const { port } = this
    const closed = new Promise(resolve => this.#server.close(resolve))
    this.reset()
    await closed
    return port
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.stop()
    rmSync(this.#folder, { recursive: true })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const { method = '', url = '' } = request
    const { pathname, searchParams: query } = new URL(url, 'http://fake')
    this.requests.push({ method, path: pathname, query })
    if (this.intercept(request, response)) return
    const text = this.texts.get(pathname)
    if (text !== undefined)
      return request.headers.accept === '*/*' ? response.end(text) : status(response, 406, 'NotAcceptable')
    const path = parsePath(pathname)
    if (path === undefined || this.missing.has(path.kind)) return status(response, 404, 'NotFound')
    if (method === 'GET' && path.name === undefined)
      return query.has('watch') ? this.#watch(path, query, response) : this.#list(path, query, response)
    const body = method === 'GET' ? {} : await bodyOf(request)
    return this.#write(method, path, body, request.headers['content-type'] ?? '', response)
  }

  #write(method: string, path: Path, body: Json, contentType: string, response: ServerResponse): unknown {
    const name = path.name ?? (body as StoredObject).metadata.name
    const existing = this.objects.get(keyOf(path.kind, path.namespace, name))
    if (method === 'POST') {
      if (existing !== undefined) return status(response, 409, 'AlreadyExists')
      return json(response, 201, this.put(path.kind, body))
    }
    const applied = contentType.startsWith('application/apply-patch')
    if (existing === undefined && !applied) return status(response, 404, 'NotFound')
    if (method === 'GET') return json(response, 200, existing)
    const expected = (body as StoredObject).metadata?.resourceVersion
    if (method === 'PUT' && expected !== existing?.metadata.resourceVersion) return status(response, 409, 'Conflict')
    const patchesVersion = contentType.startsWith(MERGE_PATCH) && expected !== undefined
    if (patchesVersion && expected !== existing?.metadata.resourceVersion) return status(response, 409, 'Conflict')
    const mergeOf = contentType.startsWith(MERGE_PATCH) ? mergePatch : apply
    const next = (method === 'PUT' ? body : mergeOf(existing ?? {}, body)) as Json
    return json(response, 200, this.put(path.kind, path.status ? { ...existing, status: next['status'] } : next))
  }

  #list(path: Path, query: URLSearchParams, response: ServerResponse): unknown {
    const all = [...this.objects]
      .filter(([key, object]) => key.startsWith(`${path.kind} `) && selects(path, query.get('fieldSelector'), object))
      .map(([, object]) => object)
    const [from = 0, version = this.#version] = (query.get('continue') ?? '').split(':').filter(Boolean).map(Number)
    if (version < this.#oldest) return status(response, 410, 'Expired')
    const end = from + Number(query.get('limit') ?? all.length)
    const metadata = {
      resourceVersion: String(version),
      ...(end < all.length ? { continue: `${end}:${version}` } : {})
    }
    return json(response, 200, { kind: 'List', metadata, items: all.slice(from, end) })
  }

  #watch(path: Path, query: URLSearchParams, response: ServerResponse): unknown {
    const from = Number(query.get('resourceVersion'))
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    if (from < this.#oldest) {
      return response.end(
        line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' })
      )
    }
    const watch = { path, selected: query.get('fieldSelector') ?? undefined, response }
    for (const event of this.#events) if (event.version > from) send(watch, event)
    this.#watches.add(watch)
    return response.once('close', () => this.#watches.delete(watch))
  }

  #record(event: Event): void {
    this.#events.push(event)
    for (const watch of this.#watches) send(watch, event)
  }
}

const keyOf = (kind: string, namespace: string | undefined, name: string): string =>
  `${kind} ${namespace ?? ''} ${name}`

const MERGE_PATCH = 'application/merge-patch+json'
const PATH =
  /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+)(?=\/(?!status$)[^/]+))?\/([^/]+)(?:\/([^/]+)(\/status)?)?$/

function parsePath(pathname: string): Path | undefined {
  const [, root, namespace, plural, name, status] = PATH.exec(pathname) ?? []
  return root === undefined ? undefined : { kind: `${root}/${plural}`, namespace, name, status: status !== undefined }
}

function selects({ namespace }: Path, fieldSelector: string | null | undefined, object: StoredObject): boolean {
  const { metadata } = object
  if (namespace !== undefined && metadata.namespace !== namespace) return false
  const accepted = [`metadata.name=${metadata.name}`, `type=${object['type']}`]
  return !fieldSelector || accepted.includes(fieldSelector)
}

function send({ path, selected, response }: Watch, { kind, type, object }: Event): void {
  if (kind === path.kind && selects(path, selected, object)) response.write(line(type, object))
}

const line = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`

async function bodyOf(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString()) as Json
}

function json(response: ServerResponse, code: number, body: unknown): unknown {
  return response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

export function status(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: Record<string, string> = {}
): unknown {
  return response
    .writeHead(code, headers)
    .end(JSON.stringify({ kind: 'Status', code, reason, message: `because ${reason}` }))
}
