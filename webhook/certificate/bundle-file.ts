import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { ServingCertificateSource } from './serving-certificate.ts'

export interface BundleFileOptions {
  readonly path: string
  readonly source: Pick<ServingCertificateSource, 'current' | 'subscribe'>
  readonly clock: Clock
  readonly log: Logger
}

const RETRY_MS = 60_000

/**
 * Keeps a file with the roots that clients should know. It is replaced as a whole: a reader sees the old bundle or the
 * new one. The returned function ends the keeping and leaves the file.
 *
 * @throws CountersignError ERR_FILE_INVALID naming the option, when the first bundle cannot be written
 */
export async function keepBundleFile({ path, source, clock, log }: BundleFileOptions): Promise<() => Promise<void>> {
  let written: string | undefined
  let cancel: () => void = () => undefined
  let closed = false

  const write = async (): Promise<void> => {
    const { caBundle } = source.current()
    if (closed || caBundle === undefined || caBundle === written) return
    await replaceFile(path, caBundle)
    written = caBundle
  }
  // One write after another: of two that cross, the older bundle might win.
  let queue: Promise<void> = Promise.resolve()
  const enqueue = (): void => {
    cancel()
    queue = queue.then(write).catch(thrown => {
      log.error({ err: unwritable(path, thrown) }, 'the CA bundle cannot be written')
      if (!closed) cancel = clock.after(RETRY_MS, enqueue)
    })
  }

  await write().catch(thrown => {
    throw unwritable(path, thrown)
  })
  const unsubscribe = source.subscribe(enqueue)
  return async () => {
    closed = true
    unsubscribe()
    cancel()
    await queue
  }
}

function unwritable(path: string, thrown: unknown): CountersignError {
  return CountersignError.from(thrown, 'ERR_FILE_INVALID', `cannot write ${path} (--ca-bundle-file)`)
}

async function replaceFile(path: string, content: string): Promise<void> {
  // In the same folder, since a rename is only atomic within one file system.
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`)
  try {
    const file = await open(temporary, 'wx', 0o644)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}
