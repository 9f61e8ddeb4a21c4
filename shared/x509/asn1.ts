import type { asn1 } from 'node-forge'
import forge from 'node-forge/lib/asn1.js'

/** One element of an ASN.1 structure. */
export type Asn1 = asn1.Asn1

/** Something that is not DER, or not the structure that was expected; becomes a CountersignError at the room's edge. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError'
}

const TAG = {
  boolean: 1,
  integer: 2,
  bitString: 3,
  octetString: 4,
  null: 5,
  oid: 6,
  utf8String: 12,
  sequence: 16,
  set: 17,
  utcTime: 23,
  generalizedTime: 24
} as const
type TagName = keyof typeof TAG

const UNIVERSAL: number = forge.Class.UNIVERSAL
const CONTEXT: number = forge.Class.CONTEXT_SPECIFIC
// Far deeper than any certificate; keeps hostile nesting off the stack.
const MAX_DEPTH = 32
const NOT_DER = 'expected DER (X.690, section 10)'

/**
 * Parses exactly one element. DER has one encoding for each value, so whatever encodes differently when written
 * again is not DER; hence `write` of any part gives the bytes that were received.
 *
 * @throws MalformedError
 */
export function read(der: Uint8Array): Asn1 {
  let element: Asn1
  try {
    element = forge.fromDer(binary(der), {
      strict: true,
      parseAllBytes: true,
      // Bits of a key or a signature can look like ASN.1, and would then be taken for it.
      decodeBitStrings: false,
      maxDepth: MAX_DEPTH
    })
  } catch (error) {
    throw new MalformedError(NOT_DER, { cause: error })
  }
  if (!write(element).equals(der)) throw new MalformedError(NOT_DER)
  return element
}

export function write(element: Asn1): Buffer {
  return Buffer.from(forge.toDer(element).getBytes(), 'latin1')
}

// ---- Making elements ----

const create = (tagClass: number, type: number, constructed: boolean, value: string | Asn1[]): Asn1 =>
  forge.create(tagClass, type, constructed, value)
const primitive = (tag: TagName, value: string): Asn1 => create(UNIVERSAL, TAG[tag], false, value)
const binary = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

export const sequence = (...items: readonly Asn1[]): Asn1 => create(UNIVERSAL, TAG.sequence, true, [...items])
export const set = (...items: readonly Asn1[]): Asn1 => create(UNIVERSAL, TAG.set, true, [...items])
export const objectId = (oid: string): Asn1 => primitive('oid', forge.oidToDer(oid).getBytes())
export const boolean = (value: boolean): Asn1 => primitive('boolean', value ? '\xff' : '\x00')
/** A non-negative integer below 128: versions and path lengths. Longer ones go by `integerBytes`. */
export const smallInteger = (value: number): Asn1 => primitive('integer', String.fromCharCode(value))
/** Two's complement, already minimal. */
export const integerBytes = (bytes: Uint8Array): Asn1 => primitive('integer', binary(bytes))
export const octetString = (bytes: Uint8Array): Asn1 => primitive('octetString', binary(bytes))
export const bitString = (bytes: Uint8Array, unusedBits = 0): Asn1 =>
  primitive('bitString', String.fromCharCode(unusedBits) + binary(bytes))
export const utf8String = (text: string): Asn1 => primitive('utf8String', binary(Buffer.from(text, 'utf8')))
export const nothing = (): Asn1 => primitive('null', '')
export const timeText = (tag: 'utcTime' | 'generalizedTime', text: string): Asn1 => primitive(tag, text)
/** A context-specific tag around other elements. */
export const explicit = (tag: number, ...items: readonly Asn1[]): Asn1 => create(CONTEXT, tag, true, [...items])
/** A context-specific tag in place of a primitive's own. */
export const implicit = (tag: number, bytes: Uint8Array): Asn1 => create(CONTEXT, tag, false, binary(bytes))

// ---- Taking elements apart ----

function malformed(expected: string): never {
  throw new MalformedError(`expected ${expected}`)
}

function itemsIn(element: Asn1, expected: string): readonly Asn1[] {
  return element.constructed && Array.isArray(element.value) ? element.value : malformed(expected)
}

export function isUniversal(element: Asn1 | undefined, tag: TagName): element is Asn1 {
  return element !== undefined && element.tagClass === UNIVERSAL && element.type === TAG[tag]
}

export function isContext(element: Asn1 | undefined, tag: number): element is Asn1 {
  return element !== undefined && element.tagClass === CONTEXT && element.type === tag
}

/** The raw content of a primitive of any class. */
export function contentOf(element: Asn1): Buffer {
  if (element.constructed || typeof element.value !== 'string') return malformed('a primitive')
  return Buffer.from(element.value, 'latin1')
}

function primitiveOf(element: Asn1 | undefined, tag: TagName, what: string): Buffer {
  if (!isUniversal(element, tag) || element.constructed) return malformed(`${what} to be of ASN.1 type ${tag}`)
  return contentOf(element)
}

export function itemsOf(element: Asn1 | undefined, tag: 'sequence' | 'set', what: string): readonly Asn1[] {
  if (!isUniversal(element, tag)) return malformed(`${what} to be of ASN.1 type ${tag}`)
  return itemsIn(element, `${what} to hold elements`)
}

/** The elements under a context-specific tag. */
export function taggedItemsOf(element: Asn1, what: string): readonly Asn1[] {
  return itemsIn(element, `${what} to hold elements`)
}

export function oidOf(element: Asn1 | undefined, what: string): string {
  const bytes = primitiveOf(element, 'oid', what)
  // The last byte of a subidentifier has no high bit; what comes after the last such byte would be ignored.
  if (bytes.length === 0 || ((bytes.at(-1) ?? 0) & 0x80) !== 0) return malformed(`${what} to be a complete OID`)
  return forge.derToOid(binary(bytes))
}

export function booleanOf(element: Asn1 | undefined, what: string): boolean {
  const bytes = primitiveOf(element, 'boolean', what)
  if (bytes.length !== 1 || (bytes[0] !== 0 && bytes[0] !== 0xff)) return malformed(`${what} to be TRUE or FALSE`)
  return bytes[0] === 0xff
}

export function integerBytesOf(element: Asn1 | undefined, what: string): Buffer {
  const bytes = primitiveOf(element, 'integer', what)
  return bytes.length > 0 ? bytes : malformed(`${what} to be an integer`)
}

export function smallIntegerOf(element: Asn1 | undefined, what: string): number {
  const bytes = integerBytesOf(element, what)
  const [value = 0] = bytes
  return bytes.length === 1 && value < 128 ? value : malformed(`${what} to be an integer from 0 to 127`)
}

export function octetStringOf(element: Asn1 | undefined, what: string): Buffer {
  return primitiveOf(element, 'octetString', what)
}

/** Named bits (X.680, section 22.7) as bytes; what is over in the last byte must be zero (X.690, section 11.2.1). */
export function namedBitsOf(element: Asn1 | undefined, what: string): Buffer {
  const content = primitiveOf(element, 'bitString', what)
  const [unused] = content
  const bytes = content.subarray(1)
  if (unused === undefined || unused > 7 || (unused > 0 && bytes.length === 0)) return malformed(`${what} to hold bits`)
  if (((bytes.at(-1) ?? 0) & ((1 << unused) - 1)) !== 0) return malformed(`${what} to end in zero bits`)
  return bytes
}

/**
 * The bytes of a key or a signature. They are whole: were a count of unused bits passed over, one signature would
 * have several encodings.
 */
export function wholeBytesOf(element: Asn1 | undefined, what: string): Buffer {
  const content = primitiveOf(element, 'bitString', what)
  return content[0] === 0 ? content.subarray(1) : malformed(`${what} to be whole bytes`)
}
