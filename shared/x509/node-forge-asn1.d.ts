// node-forge has types for its whole self only; the ASN.1 part alone saves every agent 6 MB.
declare module 'node-forge/lib/asn1.js' {
  import type { asn1, util } from 'node-forge'

  interface FromDerOptions {
    readonly strict: boolean
    readonly parseAllBytes: boolean
    readonly decodeBitStrings: boolean
    readonly maxDepth: number
  }

  const part: Omit<typeof asn1, 'fromDer'> & {
    fromDer(bytes: string | util.ByteStringBuffer, options: FromDerOptions): asn1.Asn1
  }
  export default part
}
