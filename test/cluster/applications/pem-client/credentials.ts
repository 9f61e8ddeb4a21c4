import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

/** What TLS is made with, PEM. */
export interface Credentials {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/**
 * The certificate, key and roots in a folder as the kubelet shows a Secret: all three of one version, since `..data`
 * leads to them and is replaced as a whole.
 */
export function readCredentials(folder: string): Credentials {
  try {
    return read(folder)
  } catch (thrown) {
    // A version is removed as soon as there is another one.
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown
    return read(folder)
  }
}

function read(folder: string): Credentials {
  const version = realpathSync(join(folder, '..data'))
  const file = (name: string): string => readFileSync(join(version, name), 'utf8')
  return { cert: file('cert-chain.pem'), key: file('key.pem'), ca: file('root-cert.pem') }
}
