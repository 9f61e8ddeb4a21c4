/**
 * The elements inside of a DER element, each with its own header, as views of the given bytes (X.690, section 8.1).
 *
 * @throws TypeError when lengths do not fit: what is read here comes from our own encoder
 */
export function elementsOf(der: Uint8Array): readonly Uint8Array[] {
  const { header, end } = measure(der, 0)
  if (end !== der.length) throw new TypeError(`the element has ${end} bytes, ${der.length} were given`)
  const elements: Uint8Array[] = []
  for (let at = header; at < der.length; ) {
    const { end: next } = measure(der, at)
    elements.push(der.subarray(at, next))
    at = next
  }
  return elements
}

/** What a BIT STRING of whole bytes holds (X.690, section 8.6): behind its header, and the count of unused bits. */
export function bytesOfBitString(der: Uint8Array): Uint8Array {
  return der.subarray(measure(der, 0).header + 1)
}

/** Where the content of the element at `at` begins, and where it ends. */
function measure(der: Uint8Array, at: number): { header: number; end: number } {
  const first = der[at + 1] ?? 0
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const header = at + 2 + lengthBytes
  const length = lengthBytes === 0 ? first : der.subarray(at + 2, header).reduce((sum, byte) => sum * 256 + byte, 0)
  if (header + length > der.length) throw new TypeError(`the element at ${at} ends behind the last byte`)
  return { header, end: header + length }
}
