import assert from 'node:assert/strict'
import { verify } from 'node:crypto'
import { describe, it } from 'node:test'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import { createCertificateRequest, generateKeyPair } from '../../shared/x509/index.ts'
import { bytesOfBitString, elementsOf } from './der.ts'

describe('the elements of a DER element', () => {
  it('are the parts of a request that its signature is about', async () => {
    const keyPair = await generateKeyPair()
    const request = createCertificateRequest(keyPair, SpiffeId.workload(parseTrustDomain('a.test'), 'shop', 'cart'))
    const [info, , signature, ...rest] = elementsOf(request)
    assert.ok(info && signature)
    assert.deepEqual(rest, [])
    assert.equal(verify('sha256', info, keyPair.publicKey, bytesOfBitString(signature)), true)
  })

  it('may be long or none', () => {
    assert.deepEqual(elementsOf(Uint8Array.of(0x30, 0)), [])
    const long = Uint8Array.of(0x04, 0x81, 0x80, ...new Uint8Array(128))
    assert.deepEqual(elementsOf(Uint8Array.of(0x30, 0x81, 0x83, ...long)), [long])
  })

  for (const [what, bytes] of [
    ['nothing', []],
    ['a length behind the end', [0x30, 2, 5]],
    ['bytes behind the end', [0x30, 0, 5]],
    ['an inner length behind the end', [0x30, 2, 4, 1]]
  ] as const)
    it(`are not read out of ${what}`, () => {
      assert.throws(() => elementsOf(Uint8Array.from(bytes)), TypeError)
    })
})
