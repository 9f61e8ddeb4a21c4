import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findEnvoy } from '../../shared/config/index.ts'
import { LocalMesh, readDeployments, readManifests } from '../local/index.ts'
import { printAddresses } from './addresses.ts'
import { Report } from './report.ts'
import { startShop } from './shop.ts'
import { STEPS } from './steps.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples/shop')

// Short, so that rotation can be watched: renewed at half of it, about ten seconds after each issuance.
const CERTIFICATE_LIFETIME = '20s'

/** Runs the demo. Resolves with the exit code. */
export async function runDemo({ keep }: { keep: boolean }): Promise<number> {
  const report = new Report(line => console.log(line))
  // Not below TMPDIR: that may be long, and a socket's path may have 107 bytes at most.
  const folder = await mkdtemp(join(process.platform === 'linux' ? '/tmp' : tmpdir(), 'countersign-demo-'))
  const { envoy, environment } = findEnvoy()
  const mesh = new LocalMesh({ folder, network: '77.0', envoy, certificateLifetime: CERTIFICATE_LIFETIME, environment })
  const interrupted = new Promise<void>(resolve => process.once('SIGINT', () => resolve()))
  let failed = false
  const steps = (async () => {
    const deployments = readDeployments(await readManifests(EXAMPLES))
    const shop = await startShop(mesh, deployments, report)
    for (const step of STEPS) await step(shop, report)
    report.summary()
    if (keep) printAddresses(shop, folder, report)
    failed = report.outcomes.some(outcome => !outcome.ok)
  })()
  try {
    await Promise.race([steps, interrupted.then(() => Promise.reject(new Error('interrupted')))])
    if (keep) await interrupted
  } catch (thrown) {
    failed = true
    const cause = thrown instanceof Error && thrown.cause !== undefined ? `: ${thrown.cause}` : ''
    console.error(`\ncountersign demo: ${thrown instanceof Error ? thrown.message : thrown}${cause}`)
  } finally {
    // The steps may still be waiting for something that will not come any more.
    steps.catch(() => {})
    await mesh.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return failed ? 1 : 0
}
