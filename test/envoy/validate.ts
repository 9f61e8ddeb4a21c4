import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Snapshot } from '../../shared/xds/index.ts'
import { envoyBinary } from './binary.ts'
import { staticBootstrap } from './static-bootstrap.ts'

const execute = promisify(execFile)

/**
 * Resolves when Envoy accepts a bootstrap, given as proto-JSON.
 *
 * @throws Error with Envoy's complaint when it does not
 */
export async function validateConfig(bootstrap: unknown): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-validate-'))
  const path = join(folder, 'envoy.json')
  try {
    writeFileSync(path, JSON.stringify(bootstrap))
    await execute(envoyBinary(), ['--mode', 'validate', '-l', 'warning', '-c', path], { maxBuffer: 1 << 26 })
  } catch (error) {
    const { stderr = '', stdout = '' } = error as { stderr?: string; stdout?: string }
    throw new Error(`Envoy refuses the configuration:\n${stdout}${stderr}`, { cause: error })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * Resolves when Envoy accepts everything in a snapshot, together with the bootstrap that would ask for it.
 *
 * @throws Error with Envoy's complaint when it does not
 */
export async function validateSnapshot(base: unknown, snapshot: Snapshot): Promise<void> {
  await validateConfig(staticBootstrap(base, snapshot))
}
