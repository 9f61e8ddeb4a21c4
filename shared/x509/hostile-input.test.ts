import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CountersignError } from '../errors/index.ts'
import { parseTrustDomain, SpiffeId } from '../identity/index.ts'
import {
  createCertificateRequest,
  createRoot,
  generateKeyPair,
  parseCertificate,
  parseCertificateRequest,
  parsePem,
  signCertificate,
  spkiOf,
  toPem,
  verifyRenewalProof
} from './index.ts'

const trustDomain = parseTrustDomain('cluster.local')
const spiffeId = SpiffeId.workload(trustDomain, 'shop', 'cart')
const life = { notBefore: Date.UTC(2026, 0), notAfter: Date.UTC(2027, 0) }
const root = await createRoot({ ...life, commonName: 'root', trustDomain })
const keyPair = await generateKeyPair()
const leaf = signCertificate({ ...life, usage: 'workload', spiffeId }, spkiOf(keyPair.publicKey), root)
const csr = createCertificateRequest(keyPair, spiffeId)

interface Edit {
  readonly at: number
  readonly remove: number
  readonly insert: Uint8Array
}

const edits = fc.array(fc.record({ at: fc.nat(2_000), remove: fc.nat(4), insert: fc.uint8Array({ maxLength: 4 }) }), {
  minLength: 1,
  maxLength: 4
})

function apply(original: Uint8Array, changes: readonly Edit[]): Buffer {
  let bytes = Buffer.from(original)
  for (const { at, remove, insert } of changes) {
    const start = at % (bytes.length + 1)
    bytes = Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + remove)])
  }
  return bytes
}

/** True if it was read; anything thrown that is not ours fails the test. */
function readable(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch (error) {
    assert.ok(error instanceof CountersignError, `threw ${String(error)}`)
    return false
  }
}

describe('hostile input', () => {
  const parsers = { certificate: parseCertificate, request: parseCertificateRequest }
  for (const [what, parse] of Object.entries(parsers)) {
    it(`random bytes are no ${what}, and say so in one way`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
          assert.equal(
            readable(() => parse(bytes)),
            false
          )
        }),
        { numRuns: 2_000 }
      )
    })

    it(`a ${what} with bytes changed, added and removed is read or refused, never anything else`, () => {
      const original = what === 'request' ? csr : leaf.der
      fc.assert(
        fc.property(edits, changes => {
          readable(() => parse(apply(original, changes)))
        }),
        { numRuns: 3_000 }
      )
    })
  }

  it('text with pieces of PEM is read or refused, never anything else', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('-----BEGIN CERTIFICATE-----\n', '\n-----END CERTIFICATE-----\n', toPem([leaf])),
      fc.base64String({ maxLength: 200 })
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), pieces => {
        readable(() => parsePem(pieces.join('')))
      }),
      { numRuns: 1_000 }
    )
  })

  it('a random renewal proof is no proof', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), signature => {
        assert.equal(verifyRenewalProof(keyPair.publicKey, csr, signature), false)
      }),
      { numRuns: 500 }
    )
  })
})
