import { type KeyObject, sign, verify } from 'node:crypto'
import { DEFAULT_LIFETIMES, issue } from '../../authority/issuance/index.ts'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import { createCertificateRequest, createRoot, generateKeyPair, type Issuer } from '../../shared/x509/index.ts'
import type { Benchmark, FigureRow } from './benchmark.ts'
import { bytesOfBitString, elementsOf } from './der.ts'
import { formatFigure } from './table.ts'

const TRUST_DOMAIN = parseTrustDomain('cluster.local')
const REQUESTS = 64
const WARM_UP_CPU_SECONDS = 1
const CPU_SECONDS = 4
const DAY_MS = 86_400_000

interface Sample {
  readonly spiffeId: SpiffeId
  readonly csr: Buffer
  readonly publicKey: KeyObject
}

/** CPU time instead of time: what else the machine does counts for less. */
export const issuance: Benchmark = {
  name: 'issuance',
  measured: 'certificate requests parsed, judged and signed, P-256',
  peer: 'OpenSSL alone, which nothing that uses it can beat',
  async run() {
    const now = Date.now()
    const issuer = await createRoot({ commonName: 'benchmark', notBefore: now, notAfter: now + 10 * DAY_MS })
    const samples = await Promise.all(Array.from({ length: REQUESTS }, (_, index) => makeSample(`account-${index}`)))
    return {
      columns: ['per CPU-second', 'µs of CPU each'],
      rows: [
        measure(
          'issue: parse, judge, verify, template, sign',
          samples.map(sample => ours(sample, issuer, now))
        ),
        measure(
          'OpenSSL: one verify, one sign, of the same bytes',
          samples.map(sample => bound(sample, issuer, now))
        )
      ]
    }
  }
}

async function makeSample(account: string): Promise<Sample> {
  const keyPair = await generateKeyPair()
  const spiffeId = SpiffeId.workload(TRUST_DOMAIN, 'shop', account)
  return { spiffeId, csr: createCertificateRequest(keyPair, spiffeId), publicKey: keyPair.publicKey }
}

function ours({ csr, spiffeId }: Sample, issuer: Issuer, now: number): () => void {
  return () => void issue({ csr, spiffeId, lifetimeMs: undefined }, DEFAULT_LIFETIMES, issuer, now)
}

/** The two computations with keys that no authority can do without; the keys are read and at hand already. */
function bound({ csr, spiffeId, publicKey }: Sample, issuer: Issuer, now: number): () => void {
  const [info, , bits] = elementsOf(csr)
  const { certificate } = issue({ csr, spiffeId, lifetimeMs: undefined }, DEFAULT_LIFETIMES, issuer, now)
  const [toBeSigned] = elementsOf(certificate.der)
  if (info === undefined || bits === undefined || toBeSigned === undefined)
    throw new TypeError('BUG: a part is missing')
  const signature = bytesOfBitString(bits)
  return () => {
    if (!verify('sha256', info, publicKey, signature)) throw new Error('a request does not verify')
    sign('sha256', toBeSigned, issuer.privateKey)
  }
}

function measure(name: string, works: readonly (() => void)[]): FigureRow {
  repeat(works, WARM_UP_CPU_SECONDS)
  const { count, cpuSeconds } = repeat(works, CPU_SECONDS)
  return { name, cells: [formatFigure(count / cpuSeconds), formatFigure((cpuSeconds / count) * 1_000_000)] }
}

/** Goes round until so much CPU time of this process is used, by all of its threads. */
function repeat(works: readonly (() => void)[], cpuSeconds: number): { count: number; cpuSeconds: number } {
  const began = process.cpuUsage()
  let used = 0
  let count = 0
  while (used < cpuSeconds) {
    for (const work of works) work()
    count += works.length
    const { user, system } = process.cpuUsage(began)
    used = (user + system) / 1_000_000
  }
  return { count, cpuSeconds: used }
}
