// A leader that writes Secrets, at an API server over real HTTP, with a clock that is told when to go on.

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { SECRET_KEYS, SECRETS_LABEL, secretNameOf } from '../../shared/certificate-secrets/index.ts'
import { FakeApiServer, type StoredObject } from '../../shared/kube/api-server.test-support.ts'
import type { KubeClient, KubeObject } from '../../shared/kube/index.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { FakeLeadership } from '../../test/fakes/leadership.ts'
import { CertificateSecrets, type CertificateSecretsOptions, type RunService, type Trust } from './index.ts'
import { presentSecret } from './present-secret.ts'
import { NOW, surroundings } from './secrets.test-support.ts'
import type { Content } from './types.ts'

export const ACCOUNTS = '/api/v1/serviceaccounts'
export const SECRETS = '/api/v1/secrets'
export const EVENTS = '/api/v1/events'
export const NAMESPACES = '/api/v1/namespaces'

/** Something that is what it was last set to. */
export class Changeable<T> {
  #value: T
  readonly #listeners = new Set<() => void>()

  constructor(value: T) {
    this.#value = value
  }

  current(): T {
    return this.#value
  }

  set(value: T): void {
    this.#value = value
    for (const listener of [...this.#listeners]) listener()
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get listeners(): number {
    return this.#listeners.size
  }
}

interface Mesh {
  readonly namespaces: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[]
  readonly services: readonly RunService[]
}

export const namespace = (name: string, label = 'enabled') => ({ name, labels: { [SECRETS_LABEL]: label } })

/** What a client was asked to write, and when. */
export interface Sent {
  readonly verb: 'create' | 'patch' | 'mergePatch'
  readonly path: string
  readonly at: number
}

/** The API server and what is in it. */
export class Place {
  readonly server: FakeApiServer
  readonly clock = new FakeClock(NOW)
  readonly mesh = new Changeable<Mesh>({ namespaces: [namespace('shop')], services: [] })
  readonly trust: Changeable<Trust>
  readonly sent: Sent[] = []
  readonly #closers: (() => unknown)[]

  private constructor(server: FakeApiServer, trust: Trust, closers: (() => unknown)[]) {
    this.server = server
    this.trust = new Changeable(trust)
    this.#closers = closers
    for (const name of ['shop', 'bank']) server.put(NAMESPACES, { metadata: { name } })
  }

  static async open(trust: Trust, closers: (() => unknown)[]): Promise<Place> {
    const server = await FakeApiServer.start()
    closers.push(() => server.close())
    return new Place(server, trust, closers)
  }

  /** A replica; it does nothing before it leads. */
  async replica(more: Partial<CertificateSecretsOptions> = {}) {
    const { clock } = this
    const client = await clientOf(this.server, clock)
    this.#closers.push(() => client.close())
    const { log, lines } = recordingLogger()
    const leadership = new FakeLeadership()
    const observed = { counts: {} as Readonly<Record<string, number>>, written: [] as string[], failed: 0 }
    const secrets = new CertificateSecrets({
      client: this.#recording(client),
      leadership,
      namespaces: ['shop', 'bank'],
      systemNamespace: 'countersign-system',
      mesh: this.mesh,
      trust: this.trust,
      surroundings,
      observer: {
        onSecrets: counts => {
          observed.counts = counts
        },
        onWritten: reason => observed.written.push(reason),
        onWriteFailed: () => observed.failed++
      },
      clock,
      random: () => 0.5,
      log,
      ...more
    })
    this.#closers.push(() => secrets.close())
    return { secrets, leadership, lines, observed }
  }

  account(name: string, annotations: Readonly<Record<string, string>> = {}, inNamespace = 'shop'): StoredObject {
    const metadata = { name, namespace: inNamespace, uid: `uid-of-${inNamespace}-${name}`, annotations }
    return this.server.put(ACCOUNTS, { apiVersion: 'v1', kind: 'ServiceAccount', metadata })
  }

  secret(name: string, inNamespace = 'shop'): StoredObject | undefined {
    return this.server.find(SECRETS, secretNameOf(name) ?? '', inNamespace)
  }

  /** What the certificate of an account says; undefined when it has none that can be used now. */
  content(name: string, inNamespace = 'shop'): Content | undefined {
    const secret = this.secret(name, inNamespace)
    const { content } = secret === undefined ? { content: undefined } : presentSecret(secret as KubeObject)
    if (content === undefined || 'problem' in content) return undefined
    const isValid = content.notBefore <= this.clock.now() && this.clock.now() < content.notAfter
    assert.equal(content.spiffeId, `spiffe://cluster.local/ns/${inNamespace}/sa/${name}`)
    return isValid ? content : undefined
  }

  certificate(name: string): X509Certificate {
    const data = this.secret(name)?.['data'] as Record<string, string>
    return new X509Certificate(Buffer.from(data[SECRET_KEYS.chain] ?? '', 'base64'))
  }

  condition(inNamespace = 'shop'): Readonly<Record<string, unknown>> | undefined {
    const status = this.server.find(NAMESPACES, inNamespace)?.['status'] as { conditions?: Record<string, unknown>[] }
    return status?.conditions?.find(({ type }) => type === 'countersign.dev/CertificatesReady')
  }

  events(): readonly StoredObject[] {
    return [...this.server.objects].filter(([key]) => key.startsWith(`${EVENTS} `)).map(([, event]) => event)
  }

  writes(collection = 'secrets'): readonly Sent[] {
    return this.sent.filter(({ path }) => path.includes(`/${collection}`))
  }

  /** Time goes on until it happens, slowly enough for real connections to keep up. */
  until(condition: () => boolean, what: string | (() => string), stepMs = 25): Promise<void> {
    return eventually(async () => {
      await this.clock.advance(stepMs)
      return condition()
    }, what)
  }

  /** Time in which something would happen that must not: of the clock, and of real connections. */
  async quiet(ms: number): Promise<void> {
    const stepMs = Math.max(100, ms / 150)
    for (let passed = 0; passed < ms; passed += stepMs) await this.clock.advance(stepMs)
    await new Promise(resolve => setTimeout(resolve, 30))
    await this.clock.advance(0)
  }

  /** Time stands still and real connections have theirs. */
  still(condition: () => boolean, what: string): Promise<void> {
    return eventually(async () => {
      await this.clock.advance(0)
      return condition()
    }, what)
  }

  #recording(client: KubeClient): CertificateSecretsOptions['client'] {
    const note = (verb: Sent['verb'], path: string): void => void this.sent.push({ verb, path, at: this.clock.now() })
    return {
      pages: (...asked) => client.pages(...asked),
      watch: (...asked) => client.watch(...asked),
      get: (...asked) => client.get(...asked),
      create: (path, ...rest) => {
        note('create', path)
        return client.create(path, ...rest)
      },
      patch: (path, ...rest) => {
        note('patch', path)
        return client.patch(path, ...rest)
      },
      mergePatch: (path, ...rest) => {
        note('mergePatch', path)
        return client.mergePatch(path, ...rest)
      }
    }
  }
}
