import { type Asn1, contentOf, implicit, itemsOf, MalformedError, read, sequence, write } from './asn1.ts'
import type { Extension } from './extension.ts'
import { OID } from './oid.ts'

/** One subject alternative name; `value` of an address is its usual text, of `other` the hexadecimal DER. */
export interface AltName {
  readonly type: 'uri' | 'dns' | 'ip' | 'email' | 'other'
  readonly value: string
}

// GeneralName, RFC 5280, section 4.2.1.6. Types that are missing here (names in X.500, X.400, EDI) are `other`.
const TYPE_OF_TAG: Readonly<Record<number, AltName['type']>> = { 1: 'email', 2: 'dns', 6: 'uri', 7: 'ip' }
const TAG_OF_TYPE = { dns: 2, uri: 6 } as const
const CONTEXT_SPECIFIC = 0x80

/** `critical`: needed where the subject is empty, unusual elsewhere (RFC 5280, section 4.2.1.6). */
export function subjectAltName(
  names: readonly { readonly type: 'dns' | 'uri'; readonly value: string }[],
  critical: boolean
): Extension {
  const elements = names.map(({ type, value }) => implicit(TAG_OF_TYPE[type], ia5(value)))
  return { oid: OID.subjectAltName, critical, value: write(sequence(...elements)) }
}

function ia5(text: string): Buffer {
  if (!isAscii(text)) throw new TypeError(`name ${JSON.stringify(text)} is not ASCII`)
  return Buffer.from(text, 'latin1')
}

const isAscii = (text: string): boolean => [...text].every(character => character.charCodeAt(0) < 0x80)

/** @throws MalformedError */
export function decodeSubjectAltName(extension: Extension): readonly AltName[] {
  return itemsOf(read(extension.value), 'sequence', 'subject alternative names').map(decode)
}

function decode(element: Asn1): AltName {
  if (element.tagClass !== CONTEXT_SPECIFIC) throw new MalformedError('expected a subject alternative name')
  const type = TYPE_OF_TAG[element.type]
  if (type === undefined) return { type: 'other', value: write(element).toString('hex') }
  const content = contentOf(element)
  if (type === 'ip') return { type, value: addressText(content) }
  const value = content.toString('latin1')
  if (!isAscii(value)) throw new MalformedError(`expected the ${type} name to be ASCII`)
  return { type, value }
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw new MalformedError('expected an address of 4 or 16 bytes')
  return bytes.toString('hex').replace(/(....)(?=.)/g, '$1:')
}
