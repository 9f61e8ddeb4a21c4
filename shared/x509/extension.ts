import {
  type Asn1,
  bitString,
  boolean,
  booleanOf,
  contentOf,
  implicit,
  isContext,
  isUniversal,
  itemsOf,
  MalformedError,
  namedBitsOf,
  objectId,
  octetString,
  octetStringOf,
  oidOf,
  read,
  sequence,
  smallInteger,
  smallIntegerOf,
  write
} from './asn1.ts'
import { OID } from './oid.ts'

export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** DER of the extension's own structure. */
  readonly value: Buffer
}

export function encodeExtensions(extensions: readonly Extension[]): Asn1 {
  return sequence(
    ...extensions.map(({ oid, critical, value }) =>
      // DER leaves a default out, and FALSE is the default.
      sequence(objectId(oid), ...(critical ? [boolean(true)] : []), octetString(value))
    )
  )
}

/** @throws MalformedError, also when an extension appears twice (RFC 5280, section 4.2) */
export function decodeExtensions(element: Asn1 | undefined): readonly Extension[] {
  const seen = new Set<string>()
  return itemsOf(element, 'sequence', 'extensions').map(item => {
    const parts = itemsOf(item, 'sequence', 'extension')
    const [id, flag] = parts
    const hasFlag = isUniversal(flag, 'boolean')
    if (parts.length !== (hasFlag ? 3 : 2)) throw new MalformedError('expected an extension of two or three parts')
    const oid = oidOf(id, 'extension')
    if (seen.has(oid)) throw new MalformedError(`expected extension ${oid} only once`)
    seen.add(oid)
    return { oid, critical: hasFlag && booleanOf(flag, 'critical'), value: octetStringOf(parts.at(-1), 'extension') }
  })
}

// ---- Key usage (RFC 5280, section 4.2.1.3): bit 0 is the highest of the first byte ----

export interface KeyUsage {
  readonly digitalSignature: boolean
  readonly keyCertSign: boolean
  readonly cRLSign: boolean
}

const DIGITAL_SIGNATURE = 0x80
const KEY_CERT_SIGN = 0x04
const CRL_SIGN = 0x02

export function keyUsage(usage: 'workload' | 'authority'): Extension {
  const value =
    usage === 'workload'
      ? bitString(Buffer.of(DIGITAL_SIGNATURE), 7)
      : bitString(Buffer.of(KEY_CERT_SIGN | CRL_SIGN), 1)
  return { oid: OID.keyUsage, critical: true, value: write(value) }
}

export function decodeKeyUsage(extension: Extension): KeyUsage {
  const [bits = 0] = namedBitsOf(read(extension.value), 'key usage')
  return {
    digitalSignature: (bits & DIGITAL_SIGNATURE) !== 0,
    keyCertSign: (bits & KEY_CERT_SIGN) !== 0,
    cRLSign: (bits & CRL_SIGN) !== 0
  }
}

export function extendedKeyUsage(): Extension {
  const value = sequence(objectId(OID.serverAuth), objectId(OID.clientAuth))
  return { oid: OID.extendedKeyUsage, critical: false, value: write(value) }
}

// ---- Basic constraints (RFC 5280, section 4.2.1.9) ----

export interface BasicConstraints {
  readonly isAuthority: boolean
  /** How many intermediates may follow below; undefined: any number. */
  readonly pathLength: number | undefined
}

export function basicConstraints({ isAuthority, pathLength }: BasicConstraints): Extension {
  const flag = isAuthority ? [boolean(true)] : []
  const length = isAuthority && pathLength !== undefined ? [smallInteger(pathLength)] : []
  return { oid: OID.basicConstraints, critical: true, value: write(sequence(...flag, ...length)) }
}

export function decodeBasicConstraints(extension: Extension): BasicConstraints {
  const parts = [...itemsOf(read(extension.value), 'sequence', 'basic constraints')]
  const isAuthority = isUniversal(parts[0], 'boolean') && booleanOf(parts.shift(), 'CA flag')
  const pathLength = parts.length > 0 ? smallIntegerOf(parts.shift(), 'path length') : undefined
  if (parts.length > 0) throw new MalformedError('expected basic constraints of at most two parts')
  return { isAuthority, pathLength }
}

// ---- Key identifiers (RFC 5280, sections 4.2.1.1 and 4.2.1.2) ----

export function subjectKeyIdentifier(identifier: Uint8Array): Extension {
  return { oid: OID.subjectKeyIdentifier, critical: false, value: write(octetString(identifier)) }
}

export function decodeSubjectKeyIdentifier(extension: Extension): Buffer {
  return octetStringOf(read(extension.value), 'subject key identifier')
}

export function authorityKeyIdentifier(identifier: Uint8Array): Extension {
  return { oid: OID.authorityKeyIdentifier, critical: false, value: write(sequence(implicit(0, identifier))) }
}

/** Undefined where the issuer is named in another way than by its key. */
export function decodeAuthorityKeyIdentifier(extension: Extension): Buffer | undefined {
  const [first] = itemsOf(read(extension.value), 'sequence', 'authority key identifier')
  return isContext(first, 0) ? contentOf(first) : undefined
}
