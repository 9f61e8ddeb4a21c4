import type { Clock } from '../clock/index.ts'
import { type Access, openAccess } from './access.ts'
import { unanswered } from './api-error.ts'
import { ConnectionPool } from './connection-pool.ts'
import { type Call, type Caller, openCall, parsed, readCall } from './http-call.ts'
import { isObject, type KubeObject, record, stringIn } from './object.ts'
import { type WatchEvent, watchEvents } from './watch-stream.ts'

export interface KubeClientOptions {
  /** Path of a kubeconfig file; undefined: the service account of the pod in which the program runs. */
  readonly kubeconfig: string | undefined
  /** What the API server's audit log calls the caller, for example `countersign-authority`. */
  readonly userAgent: string
  readonly clock: Clock
}

/** A part of a collection. */
export interface Page {
  readonly items: readonly KubeObject[]
  /** From which a watch continues; the same on every page of one list. */
  readonly resourceVersion: string
}

export interface Selection {
  /** For example `metadata.name=countersign-bundle`. */
  readonly fieldSelector?: string
  /** For example `app=orders`. */
  readonly labelSelector?: string
}

export interface WatchOptions extends Selection {
  readonly resourceVersion: string
  /** After so long the server shall end the watch, in seconds. */
  readonly timeoutSeconds: number
  /** After so long without a byte the watch is given up as dead, in milliseconds. */
  readonly idleMs: number
}

const DEADLINE_MS = 30_000
// As client-go has it.
const PAGE_SIZE = 500
const STRATEGIC_MERGE = 'application/strategic-merge-patch+json'
// RFC 7396.
const MERGE = 'application/merge-patch+json'
// JSON is YAML.
const SERVER_SIDE_APPLY = 'application/apply-patch+yaml'

/** The API server. Every method throws CountersignError ERR_KUBERNETES_UNAVAILABLE or ERR_KUBERNETES_REFUSED. */
export class KubeClient {
  readonly #caller: Caller

  private constructor(access: Access, { userAgent, clock }: KubeClientOptions) {
    this.#caller = { access, pool: new ConnectionPool(access.server), userAgent, clock }
  }

  /**
   * Nothing is sent yet.
   *
   * @throws CountersignError ERR_OPTION_INVALID when there is no way to know where the API server is
   */
  static async open(options: KubeClientOptions): Promise<KubeClient> {
    return new KubeClient(await openAccess(options.kubeconfig), options)
  }

  get(path: string, signal?: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: 'GET', path }, signal)
  }

  /** What is no object of the API: `/openid/v1/jwks`. */
  getText(path: string): Promise<string> {
    // Keys are served as application/jwk-set+json, and to nobody who asks for something else.
    return readCall(this.#caller, { method: 'GET', path, accept: '*/*' }, DEADLINE_MS)
  }

  /** Status 409 when there is one of that name. */
  create(collection: string, object: object, fieldManager: string, signal?: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: 'POST', path: collection, query: { fieldManager }, body: object }, signal)
  }

  /** Status 409 when it is not as it was at the `resourceVersion` in `object`. */
  replace(path: string, object: object, fieldManager: string, signal?: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: 'PUT', path, query: { fieldManager }, body: object }, signal)
  }

  /** Kubernetes, "Strategic merge patch": lists are merged by the names of their entries. */
  patch(path: string, body: object, fieldManager: string, signal?: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: 'PATCH', path, query: { fieldManager }, body, contentType: STRATEGIC_MERGE }, signal)
  }

  /**
   * RFC 7396: lists are replaced as a whole. Status 409 when `body` has a `metadata.resourceVersion` and the object is
   * not as it was then.
   */
  mergePatch(path: string, body: object, fieldManager: string, signal?: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: 'PATCH', path, query: { fieldManager }, body, contentType: MERGE }, signal)
  }

  /** Kubernetes, "Server-Side Apply", with force: the fields that are given become this manager's. */
  apply(path: string, object: object, fieldManager: string): Promise<KubeObject> {
    const query = { fieldManager, force: 'true' }
    return this.#object({ method: 'PATCH', path, query, body: object, contentType: SERVER_SIDE_APPLY })
  }

  /** A collection in pages of at most 500, all of one moment. */
  async *pages(path: string, selection: Selection = {}, signal?: AbortSignal): AsyncGenerator<Page> {
    let position: string | undefined
    do {
      const query = {
        limit: String(PAGE_SIZE),
        ...selection,
        ...(position === undefined ? {} : { continue: position })
      }
      const call: Call = { method: 'GET', path, query, ...(signal === undefined ? {} : { signal }) }
      const list = record(parsed(await readCall(this.#caller, call, DEADLINE_MS)))
      const metadata = record(list?.['metadata'])
      const resourceVersion = stringIn(metadata, 'resourceVersion')
      if (list === undefined || resourceVersion === undefined) throw unanswered(call, 'expected a list')
      const items = Array.isArray(list['items']) ? list['items'].filter(isObject) : []
      yield { items, resourceVersion }
      position = stringIn(metadata, 'continue')
    } while (position !== undefined)
  }

  /** What happens to a collection from a version on. Ends when the server ends it, or nothing comes for `idleMs`. */
  async *watch(path: string, options: WatchOptions, signal?: AbortSignal): AsyncGenerator<WatchEvent> {
    const { timeoutSeconds, idleMs, ...selection } = options
    const query = { watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: String(timeoutSeconds), ...selection }
    const silence = new AbortController()
    const either = signal === undefined ? silence.signal : AbortSignal.any([silence.signal, signal])
    const listen = (): (() => void) => this.#caller.clock.after(idleMs, () => silence.abort())
    let cancel = listen()
    const heard = (): void => {
      cancel()
      cancel = listen()
    }
    try {
      const call: Call = { method: 'GET', path, query, signal: either }
      yield* watchEvents(noticed(await openCall(this.#caller, call), heard), { method: 'WATCH', path })
    } catch (thrown) {
      if (!silence.signal.aborted) throw unanswered({ method: 'WATCH', path }, thrown)
    } finally {
      cancel()
    }
  }

  /** Ends every request that is under way. */
  close(): void {
    this.#caller.pool.close()
  }

  async #object(call: Call, signal?: AbortSignal): Promise<KubeObject> {
    const abortable = signal === undefined ? call : { ...call, signal }
    const object = parsed(await readCall(this.#caller, abortable, DEADLINE_MS))
    if (!isObject(object)) throw unanswered(call, 'expected an object')
    return object
  }
}

async function* noticed(chunks: AsyncIterable<Buffer>, heard: () => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    heard()
    yield chunk
  }
}
