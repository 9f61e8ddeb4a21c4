import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { writeFileAtomically } from '../../shared/files/index.ts'
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
export async function keepBundleFile({ path, source, clock, log }: BundleFileOptions): Promise<() => void> {
  let written: string | undefined
  let cancel: () => void = () => undefined

  const write = (): void => {
    const { caBundle } = source.current()
    if (caBundle === undefined || caBundle === written) return
    try {
      writeFileAtomically(path, caBundle, 0o644)
    } catch (thrown) {
      throw CountersignError.from(thrown, 'ERR_FILE_INVALID', `cannot write ${path} (--ca-bundle-file)`)
    }
    written = caBundle
  }
  const follow = (): void => {
    cancel()
    try {
      write()
    } catch (err) {
      log.error({ err }, 'the CA bundle cannot be written')
      cancel = clock.after(RETRY_MS, follow)
    }
  }

  write()
  const unsubscribe = source.subscribe(follow)
  return () => {
    unsubscribe()
    cancel()
  }
}
