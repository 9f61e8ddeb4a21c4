import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { FolderWatch } from '../../shared/files/index.ts'
import type { TrustDomain } from '../../shared/identity/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { type Certificate, parsePem, type TrustBundle } from '../../shared/x509/index.ts'

export interface BundleFileOptions {
  /** Root certificates, PEM; in a cluster, a mounted ConfigMap. */
  readonly path: string
  readonly trustDomain: TrustDomain
  readonly clock: Clock
  readonly log: Logger
  /** How often the file is read although nothing was heard of a change; 10 seconds unless given. */
  readonly intervalMs?: number
}

/** The trust bundle as a file says it: the first thing an agent believes. The last good content stays in force. */
export class BundleFile {
  readonly #options: BundleFileOptions
  readonly #log: Logger
  readonly #watch: FolderWatch
  readonly #listeners = new Set<() => void>()
  #content: string | undefined
  #problem: string | undefined
  #current: TrustBundle | undefined

  constructor(options: BundleFileOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'authority' })
    const { path, clock, intervalMs } = options
    const interval = intervalMs === undefined ? {} : { intervalMs }
    this.#watch = new FolderWatch({
      folder: dirname(path),
      clock,
      log: this.#log,
      look: () => this.#look(),
      ...interval
    })
  }

  /** Reads the file, so that `current` is right when this returns, and follows it until `close`. */
  start(): void {
    this.#watch.start()
  }

  /** Undefined until the file has been readable once. */
  current(): TrustBundle | undefined {
    return this.#current
  }

  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  close(): void {
    this.#watch.close()
    this.#listeners.clear()
  }

  #look(): void {
    const { path, trustDomain } = this.#options
    let roots: readonly Certificate[]
    try {
      const content = readFileSync(path, 'utf8')
      if (content === this.#content) return
      roots = parseRoots(content)
      this.#content = content
    } catch (thrown) {
      const err = new CountersignError('ERR_FILE_INVALID', `trust bundle ${path}: ${messageOf(thrown)}`, {
        cause: thrown
      })
      if (err.message !== this.#problem)
        this.#log.error({ err, lastGood: this.#current !== undefined }, 'trust bundle is not usable')
      this.#problem = err.message
      return
    }
    this.#problem = undefined
    this.#current = Object.freeze({ trustDomain, roots: Object.freeze(roots) })
    this.#log.info({ path, roots: roots.map(({ serialNumber }) => serialNumber) }, 'trust bundle is read')
    for (const listener of [...this.#listeners]) listener()
  }
}

function parseRoots(content: string): readonly Certificate[] {
  const roots = parsePem(content)
  const other = roots.find(({ isAuthority }) => !isAuthority)
  if (other !== undefined) throw new Error(`certificate ${other.serialNumber} is not that of an authority`)
  return roots
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
