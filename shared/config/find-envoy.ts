import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const INSTALLED = join(import.meta.dirname, '../../.cache/envoy/envoy/_bin/envoy')

/** An Envoy binary, and the little of the environment that child processes are given. */
export interface LocalEnvoy {
  readonly envoy: string
  readonly environment: Readonly<Record<string, string>>
}

/**
 * The Envoy to use on this machine: COUNTERSIGN_ENVOY, else one on PATH, else the one that the npm commands install
 * into the checkout.
 *
 * @throws Error that says how to get one
 */
export function findEnvoy(): LocalEnvoy {
  const { COUNTERSIGN_ENVOY: named, PATH: path = '' } = process.env
  const onPath = path
    .split(delimiter)
    .filter(Boolean)
    .map(folder => join(folder, 'envoy'))
  const candidates = named ? [named] : [...onPath, INSTALLED]
  const envoy = candidates.find(isExecutable)
  if (envoy === undefined)
    throw new Error(
      named
        ? `COUNTERSIGN_ENVOY is ${named}, which is not an executable file: correct it or unset it`
        : 'no Envoy was found: `npm run demo` and `npm test` install one; or set COUNTERSIGN_ENVOY to an Envoy 1.40 binary'
    )
  return { envoy, environment: { PATH: path } }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
