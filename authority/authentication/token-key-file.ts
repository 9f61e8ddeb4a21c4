import { type FSWatcher, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { JSONWebKeySet } from 'jose'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { TokenBucket } from '../../shared/rate/index.ts'
import { parseKeySet, REFRESH_BURST, REFRESH_INTERVAL_MS } from './key-set.ts'
import type { TokenKeys } from './pod-token.ts'

export interface TokenKeyFileOptions {
  /** A JWKS (RFC 7517, section 5), as the API server serves it at /openid/v1/jwks. */
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Token keys out of a file. The folder is watched, not the file: files of a ConfigMap are replaced by way of a
 * symbolic link beside them, which is no event on the file. The last good set stays when a new one cannot be read.
 */
export class TokenKeyFile implements TokenKeys {
  readonly #path: string
  readonly #log: Logger
  readonly #budget: TokenBucket
  readonly #watcher: FSWatcher
  #text: string
  #current: JSONWebKeySet
  #reading: Promise<void> | undefined
  #again = false

  private constructor(options: TokenKeyFileOptions, text: string) {
    this.#path = options.path
    this.#log = options.log.child({ room: 'authentication' })
    this.#budget = new TokenBucket(REFRESH_BURST, REFRESH_INTERVAL_MS, options.clock)
    this.#text = text
    this.#current = parseKeySet(text, `token keys ${options.path}`)
    this.#watcher = watch(dirname(options.path), () => void this.#read())
    this.#watcher.on('error', error =>
      this.#log.error({ path: this.#path, err: error }, 'token keys are no longer watched')
    )
  }

  /** @throws CountersignError ERR_FILE_INVALID when the file cannot be read as a JWKS */
  static async open(options: TokenKeyFileOptions): Promise<TokenKeyFile> {
    const file = new TokenKeyFile(options, await textOf(options.path))
    // What was written between the first look and the watch.
    await file.#read()
    return file
  }

  current(): JSONWebKeySet {
    return this.#current
  }

  async refresh(): Promise<void> {
    if (this.#budget.take()) await this.#read()
  }

  close(): void {
    this.#watcher.close()
  }

  /** Reads of one file never overlap: an older one could finish last. */
  #read(): Promise<void> {
    this.#again = true
    this.#reading ??= this.#readUntilCurrent().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readUntilCurrent(): Promise<void> {
    while (this.#again) {
      this.#again = false
      try {
        const text = await textOf(this.#path)
        if (text === this.#text) continue
        this.#current = parseKeySet(text, `token keys ${this.#path}`)
        this.#text = text
        this.#log.info({ path: this.#path, keys: this.#current.keys.length }, 'token keys replaced')
      } catch (error) {
        this.#log.warn({ path: this.#path, err: error }, 'token keys cannot be read, keeping the last ones')
      }
    }
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw CountersignError.from(error, 'ERR_FILE_INVALID', `token keys ${path}`)
  }
}
