// OpenSSL as the outside judge of what is written here, and as the maker of certificates that this room never makes.

import { execFileSync } from 'node:child_process'
import type { KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Certificate, type Issuer, parsePem, privateKeyToPem, toPem } from './index.ts'

/** Runs in a folder of its own that is gone afterwards. `files`: name to content; arguments name them. */
export function openssl(args: readonly string[], files: Readonly<Record<string, string | Uint8Array>> = {}): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-openssl-'))
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
    return execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Throws with OpenSSL's complaint unless the chain (leaf first) verifies strictly against the root. */
export function assertOpensslVerifies(root: Certificate, chain: readonly Certificate[]): void {
  const [leaf, ...intermediates] = chain
  if (leaf === undefined) throw new TypeError('expected a leaf')
  const untrusted = intermediates.length > 0 ? ['-untrusted', 'untrusted.pem'] : []
  openssl(['verify', '-x509_strict', '-CAfile', 'root.pem', ...untrusted, 'leaf.pem'], {
    'root.pem': toPem([root]),
    'untrusted.pem': toPem(intermediates),
    'leaf.pem': toPem([leaf])
  })
}

/** A certificate with exactly the extensions given in OpenSSL's notation, valid for one day from now. */
export function certificateWith(
  extensions: readonly string[],
  signer: Pick<Issuer, 'certificate' | 'privateKey'>,
  key: KeyObject,
  { subject = '/', digest = 'sha256' }: { subject?: string; digest?: string } = {}
): Certificate {
  const args = ['x509', '-req', '-in', 'request.pem', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', '1', `-${digest}`]
  const config = `[request]\ndistinguished_name = name\n[name]\n[wanted]\n${extensions.join('\n')}\n`
  const pem = openssl([...args, '-set_serial', '0x1234567890', '-extfile', 'config', '-extensions', 'wanted'], {
    'request.pem': opensslRequest(key, { subject }).pem,
    'ca.pem': toPem([signer.certificate]),
    'ca.key': privateKeyToPem(signer.privateKey),
    config
  })
  const [certificate] = parsePem(pem.toString())
  if (certificate === undefined) throw new TypeError('expected a certificate')
  return certificate
}

interface Wanted {
  readonly subject?: string
  /** Lines of an extension section. */
  readonly extensions?: readonly string[]
  /** Lines of an attribute section; OpenSSL reads it only where the subject is in the file as well. */
  readonly attributes?: readonly string[]
  readonly options?: readonly string[]
}

/** A certificate request as another program makes it. */
export function opensslRequest(
  key: KeyObject,
  { subject = '/', extensions = [], attributes = [], options = [] }: Wanted = {}
): { readonly pem: string; readonly der: Buffer } {
  const config = [
    '[request]',
    'distinguished_name = name',
    'prompt = no',
    ...(extensions.length > 0 ? ['req_extensions = wanted'] : []),
    ...(attributes.length > 0 ? ['attributes = more'] : []),
    '[name]',
    'CN = somebody',
    '[wanted]',
    ...extensions,
    '[more]',
    ...attributes
  ].join('\n')
  const files = { 'request.key': privateKeyToPem(key), config: `${config}\n` }
  const args = ['req', '-new', '-key', 'request.key', '-config', 'config', '-section', 'request', ...options]
  const pem = openssl(attributes.length > 0 ? args : [...args, '-subj', subject], files).toString()
  const base64 = pem.replace(/-----[^-]+-----|\s/g, '')
  return { pem, der: Buffer.from(base64, 'base64') }
}
