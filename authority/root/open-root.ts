import { createPublicKey } from 'node:crypto'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { TrustDomain } from '../../shared/identity/index.ts'
import {
  createRoot,
  type Issuer,
  type KeyAlgorithm,
  parsePem,
  privateKeyFromPem,
  privateKeyToPem,
  toPem
} from '../../shared/x509/index.ts'
import type { RootPem, RootStore } from './store.ts'

export interface RootSettings {
  readonly trustDomain: TrustDomain
  readonly clock: Clock
  /** How long a new root lives, in milliseconds. Default: ten years. */
  readonly lifetimeMs?: number
  /** Of a new root's key. Default: ecdsa-p256. */
  readonly algorithm?: KeyAlgorithm
}

const TEN_YEARS_MS = 10 * 365 * 86_400_000
/** Clocks of those who verify may be behind by this much. */
const BACKDATED_MS = 60_000
const COMMON_NAME = 'Countersign root'

/**
 * The root out of the store; made when there is none. When several start together, all of them use the one that was
 * stored first. What is in the store and cannot be used is refused, never replaced.
 *
 * @throws CountersignError ERR_ISSUER_UNUSABLE
 */
export async function openRoot(store: RootStore, settings: RootSettings): Promise<Issuer> {
  const existing = await store.load()
  if (existing !== undefined) return read(existing, store.location, settings.clock.now())
  const made = await make(settings)
  if (await store.create(pemOf(made))) return made
  const first = await store.load()
  if (first === undefined) throw unusable(store.location, 'vanished while it was opened')
  return read(first, store.location, settings.clock.now())
}

function make({ trustDomain, clock, lifetimeMs = TEN_YEARS_MS, algorithm }: RootSettings): Promise<Issuer> {
  const now = clock.now()
  const life = { notBefore: now - BACKDATED_MS, notAfter: now + lifetimeMs }
  return createRoot({
    commonName: COMMON_NAME,
    trustDomain,
    ...life,
    ...(algorithm === undefined ? {} : { algorithm })
  })
}

function pemOf({ certificate, privateKey }: Issuer): RootPem {
  return { certificatePem: toPem([certificate]), keyPem: privateKeyToPem(privateKey) }
}

function read({ certificatePem, keyPem }: RootPem, location: string, now: number): Issuer {
  const { certificates, privateKey } = parse(certificatePem, keyPem, location)
  const [certificate, ...others] = certificates
  if (certificate === undefined || others.length > 0)
    throw unusable(location, `has ${certificates.length} certificates: expected one`)
  if (!certificate.isAuthority) throw unusable(location, 'is not the certificate of an authority')
  if (!createPublicKey(privateKey).equals(certificate.publicKey))
    throw unusable(location, 'has a key that is not that of its certificate')
  if (now > certificate.notAfter) throw unusable(location, `expired at ${timeText(certificate.notAfter)}`)
  if (now < certificate.notBefore) throw unusable(location, `is not valid before ${timeText(certificate.notBefore)}`)
  return { certificate, privateKey, chain: [] }
}

function parse(certificatePem: string, keyPem: string, location: string): ParsedRoot {
  try {
    return { certificates: parsePem(certificatePem), privateKey: privateKeyFromPem(keyPem) }
  } catch (error) {
    throw new CountersignError('ERR_ISSUER_UNUSABLE', `root ${location} is damaged`, { cause: error })
  }
}

interface ParsedRoot {
  readonly certificates: ReturnType<typeof parsePem>
  readonly privateKey: ReturnType<typeof privateKeyFromPem>
}

function unusable(location: string, why: string): CountersignError {
  return new CountersignError('ERR_ISSUER_UNUSABLE', `root ${location} ${why}`)
}

const timeText = (milliseconds: number): string => new Date(milliseconds).toISOString()
