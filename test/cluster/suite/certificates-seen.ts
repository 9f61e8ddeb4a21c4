import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { V1Secret } from '@kubernetes/client-node'
import { SECRET_KEYS, SECRET_TYPE } from '../../../shared/certificate-secrets/index.ts'
import type { Cluster } from '../index.ts'
import { run } from '../run.ts'

/** A certificate that a Secret holds, with what belongs to it; PEM. */
export interface CertificateSeen {
  readonly chain: string
  readonly key: string
  readonly roots: string
  readonly secret: V1Secret
}

const PREFIX = 'countersign.'

/** Those of a namespace, by service account. */
export async function certificatesIn(
  cluster: Cluster,
  namespace: string
): Promise<ReadonlyMap<string, CertificateSeen>> {
  const selector = ['--field-selector', `type=${SECRET_TYPE}`]
  const { items } = JSON.parse(
    await cluster.kubectl(['get', 'secrets', '-n', namespace, ...selector, '-o', 'json'])
  ) as { items: V1Secret[] }
  return new Map(items.map(secret => [(secret.metadata?.name ?? '').slice(PREFIX.length), seenIn(secret)]))
}

function seenIn(secret: V1Secret): CertificateSeen {
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString()
  return { chain: text(SECRET_KEYS.chain), key: text(SECRET_KEYS.key), roots: text(SECRET_KEYS.roots), secret }
}

/** What is wrong with a certificate that is to be that of an account; undefined: nothing. */
export function faultOf(seen: CertificateSeen | undefined, namespace: string, account: string): string | undefined {
  if (seen === undefined) return `${account} has no Secret`
  try {
    const leaf = new X509Certificate(seen.chain)
    const root = new X509Certificate(seen.roots)
    const uris = (leaf.subjectAltName ?? '').split(', ').filter(name => name.startsWith('URI:'))
    const now = Date.now()
    const faults = [
      [uris.join() === `URI:spiffe://cluster.local/ns/${namespace}/sa/${account}`, `is for ${uris}`],
      [leaf.checkPrivateKey(createPrivateKey(seen.key)), 'has another key'],
      [leaf.verify(root.publicKey), 'is not signed by its root'],
      [Date.parse(leaf.validFrom) <= now && now < Date.parse(leaf.validTo), `is valid until ${leaf.validTo}`]
    ] as const
    const fault = faults.find(([isRight]) => !isRight)?.[1]
    return fault === undefined ? undefined : `the certificate of ${account} ${fault}`
  } catch (thrown) {
    return `what ${account} has cannot be read: ${thrown}`
  }
}

/** Has OpenSSL judge each, with its own roots. It throws what OpenSSL says against one. */
export async function verifyStrictly(certificates: Iterable<CertificateSeen>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-certificates-'))
  try {
    for (const [roots, group] of Map.groupBy(certificates, seen => seen.roots)) {
      const file = async (name: string, content: string): Promise<string> => {
        const path = join(folder, name)
        await writeFile(path, content)
        return path
      }
      const chains = group.map(({ chain }) => chain)
      const files = await Promise.all(chains.map((chain, index) => file(`${index}.pem`, chain)))
      const [anchors, between] = [await file('roots.pem', roots), await file('between.pem', chains.join(''))]
      await run('openssl', ['verify', '-x509_strict', '-CAfile', anchors, '-untrusted', between, ...files])
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}
