// Issuers, accounts and Secrets as the API server has them.

import { generateKeyPairSync } from 'node:crypto'
import { readWishes } from '../../shared/certificate-secrets/index.ts'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import type { KubeObject } from '../../shared/kube/index.ts'
import {
  type CertificateTemplate,
  createRoot,
  generateKeyPair,
  type Issuer,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  toPem
} from '../../shared/x509/index.ts'
import type { IssuedContent } from './new-secret.ts'
import { creation } from './new-secret.ts'
import type { Account, Limits, Surroundings, Trust } from './types.ts'

export const SECOND = 1_000
export const HOUR = 3_600 * SECOND
export const DAY = 24 * HOUR
/** In whole seconds, as certificates are. */
export const NOW = Math.floor(Date.now() / SECOND) * SECOND

export const trustDomain = parseTrustDomain('cluster.local')
export const limits: Limits = { standardMs: DAY, shortestMs: 600 * SECOND, longestMs: 90 * DAY }
export const surroundings: Surroundings = { trustDomain, clusterDomain: 'cluster.local', limits }

export function account(annotations: Readonly<Record<string, string>> = {}, name = 'orders'): Account {
  return { namespace: 'shop', name, uid: `uid-of-${name}`, asked: readWishes(annotations) }
}

export const rootUntil = (notAfter: number, commonName = 'root'): Promise<Issuer> =>
  createRoot({ commonName, trustDomain, notBefore: NOW - HOUR, notAfter })

export const trusting = (issuer: Issuer, ...roots: readonly Issuer[]): Trust => ({
  issuer,
  bundle: { trustDomain, roots: (roots.length > 0 ? roots : [issuer]).map(({ certificate }) => certificate) }
})

export async function intermediateOf(root: Issuer, notAfter = root.certificate.notAfter): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair()
  const template: CertificateTemplate = { usage: 'authority', commonName: 'between', notBefore: NOW - HOUR, notAfter }
  const certificate = signCertificate(template, spkiOf(publicKey), root)
  return { certificate, privateKey, chain: [certificate, ...root.chain] }
}

/** A Secret as it comes back from the API server. */
export function stored(of: Account, issued: IssuedContent, more: Readonly<Record<string, unknown>> = {}): KubeObject {
  const made = creation(of, issued) as KubeObject
  return { ...made, metadata: { ...made.metadata, uid: 'uid-of-secret', resourceVersion: '7' }, ...more }
}

export const encoded = (text: string): string => Buffer.from(text).toString('base64')

/** Files that belong together, except for what a test changes about the leaf or its key. */
export function filesWith(
  root: Issuer,
  change: Partial<CertificateTemplate> = {},
  keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
): { chain: string; key: string; roots: string } {
  const spiffeId = SpiffeId.workload(trustDomain, 'shop', 'orders')
  const life = { notBefore: NOW - 60 * SECOND, notAfter: NOW + DAY }
  const leaf = signCertificate({ usage: 'workload', spiffeId, ...life, ...change }, spkiOf(keys.publicKey), root)
  return {
    chain: toPem([leaf, ...root.chain]),
    key: privateKeyToPem(keys.privateKey),
    roots: toPem([root.certificate])
  }
}
