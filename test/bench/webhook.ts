import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  admissionReview,
  call,
  LocalProcess,
  podFromDeployment,
  readDeployments,
  readManifests,
  until
} from '../../cli/local/index.ts'
import {
  createRoot,
  generateKeyPair,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  toPem
} from '../../shared/x509/index.ts'
import type { AtEnd, Benchmark, FigureRow } from './benchmark.ts'
import { percentile } from './statistics.ts'
import { formatFigure } from './table.ts'
import { type LoadResult, postRepeatedly } from './webhook-load.ts'

const ROOT = join(import.meta.dirname, '../..')
const OURS = '127.91.0.4'
const PEER = '127.91.0.5'
const PORT = 9443
const WARM_UP_SECONDS = 2
const SECONDS = 6
const HOUR_MS = 3_600_000

export const webhook: Benchmark = {
  name: 'webhook',
  measured: 'AdmissionReviews of a pod over HTTPS, 10 connections',
  peer: 'fastify alone, which gives the same answer without looking',
  async run(atEnd) {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'))
    atEnd(() => rm(folder, { recursive: true, force: true }))
    await writeCertificate(folder)
    const body = JSON.stringify(admissionReview(await samplePod()))
    const measure = async (host: string, expected: (answer: string) => boolean): Promise<LoadResult> => {
      const url = `https://${host}:${PORT}/inject`
      const { lastBody } = await postRepeatedly({ url, body, seconds: WARM_UP_SECONDS }, expected)
      return postRepeatedly({ url, body, seconds: SECONDS }, answer => answer === lastBody)
    }

    const server = await startWebhook(folder, atEnd)
    const ours = await measure(OURS, isInjected)
    await server.stop()
    await writeFile(join(folder, 'answer.json'), ours.lastBody)
    await startPeer(folder, atEnd)
    const peer = await measure(PEER, answer => answer === ours.lastBody)
    return {
      columns: ['reviews per second', 'p50 ms', 'p99 ms'],
      rows: [row('webhook: parse, decide, patch, log', ours), row('fastify: parse, constant answer', peer)]
    }
  }
}

const row = (name: string, { times, duration }: LoadResult): FigureRow => ({
  name,
  cells: [times.length / duration, percentile(times, 50), percentile(times, 99)].map(formatFigure)
})

function isInjected(text: string): boolean {
  const { response } = JSON.parse(text) as { response?: { allowed?: boolean; patch?: string } }
  return response?.allowed === true && response.patch !== undefined
}

async function samplePod() {
  const deployment = readDeployments(await readManifests(join(ROOT, 'examples/shop'))).get('orders')
  if (deployment === undefined) throw new Error('examples/shop has no Deployment orders')
  return podFromDeployment(deployment, { node: 'local', address: '127.91.0.10', applicationAddress: '127.91.1.10' })
}

/** A certificate as cert-manager would put it into a folder: both servers show the same. */
async function writeCertificate(folder: string): Promise<void> {
  const times = { notBefore: Date.now(), notAfter: Date.now() + HOUR_MS }
  const root = await createRoot({ commonName: 'benchmark', ...times })
  const { publicKey, privateKey } = await generateKeyPair()
  const template = { dnsNames: ['countersign-webhook.countersign-system.svc'], usage: 'workload', ...times } as const
  await writeFile(join(folder, 'tls.crt'), toPem([signCertificate(template, spkiOf(publicKey), root)]))
  await writeFile(join(folder, 'tls.key'), privateKeyToPem(privateKey), { mode: 0o600 })
}

async function startWebhook(folder: string, atEnd: AtEnd): Promise<LocalProcess> {
  const health = `${OURS}:8081`
  const server = await LocalProcess.start({
    name: 'webhook',
    command: process.execPath,
    args: [
      '--disable-warning=ExperimentalWarning',
      join(ROOT, 'webhook/main.ts'),
      `--listen-address=${OURS}:${PORT}`,
      `--health-address=${health}`,
      `--certificate-folder=${folder}`,
      '--shutdown-delay=0s'
    ]
  })
  atEnd(() => server.stop())
  await until('the webhook to be ready', async () => {
    const { status } = await call({ url: `http://${health}/readyz` })
    return status === 200 || undefined
  })
  return server
}

async function startPeer(folder: string, atEnd: AtEnd): Promise<void> {
  const args = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'constant-server.ts')]
  const server = await LocalProcess.start({
    name: 'fastify',
    command: process.execPath,
    args: [...args, PEER, String(PORT), folder]
  })
  atEnd(() => server.stop())
  await until('fastify to listen', () => server.output.includes('listening') || undefined)
}
