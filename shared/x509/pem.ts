import { CountersignError } from '../errors/index.ts'
import { type Certificate, parseCertificate } from './certificate.ts'

const MAX_PEM_CHARACTERS = 1_048_576
const BLOCK = /-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----/g
const BEGIN = /-----BEGIN CERTIFICATE-----/g

/**
 * Every CERTIFICATE block of a text of at most 1 MiB, in order; what stands between blocks is passed over
 * (RFC 7468, section 2).
 *
 * @throws CountersignError ERR_CERTIFICATE_INVALID when there is none, or one cannot be parsed
 */
export function parsePem(text: string): Certificate[] {
  if (text.length > MAX_PEM_CHARACTERS)
    throw new CountersignError(
      'ERR_CERTIFICATE_INVALID',
      `PEM has ${text.length} characters: expected at most ${MAX_PEM_CHARACTERS}`
    )
  const blocks = [...text.matchAll(BLOCK)]
  const begun = [...text.matchAll(BEGIN)].length
  // A block that is cut off must not vanish silently: a bundle would then trust fewer roots than it says.
  if (blocks.length === 0 || blocks.length !== begun)
    throw new CountersignError(
      'ERR_CERTIFICATE_INVALID',
      `PEM has ${blocks.length} whole CERTIFICATE blocks and ${begun} beginnings: expected one or more, all whole`
    )
  return blocks.map(([, base64 = '']) => parseCertificate(Buffer.from(base64, 'base64')))
}

export function toPem(certificates: readonly Certificate[]): string {
  return certificates.map(({ der }) => block(der)).join('')
}

function block(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
