import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const installed = join(import.meta.dirname, '../../.cache/envoy/envoy/_bin/envoy')

/**
 * The Envoy to use: COUNTERSIGN_ENVOY, else one on PATH, else the one that `npm test` installs into the checkout.
 * A test without Envoy fails here: it never skips.
 */
export function envoyBinary(): string {
  const named = process.env['COUNTERSIGN_ENVOY']
  const candidates = named
    ? [named]
    : [...(process.env['PATH'] ?? '').split(delimiter).map(folder => join(folder, 'envoy')), installed]
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK)
      return candidate
    } catch {
      // The next place.
    }
  }
  throw new Error(`no Envoy in ${candidates.join(', ')}: run \`npm test\` once, or set COUNTERSIGN_ENVOY`)
}
