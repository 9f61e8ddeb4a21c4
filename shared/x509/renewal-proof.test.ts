import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import { generateKeyPair, signRenewalProof, verifyRenewalProof } from './index.ts'
import { openssl } from './openssl.test-support.ts'

const csr = Buffer.from('a certificate request')
const keyPair = await generateKeyPair()

describe('renewal proofs', () => {
  for (const algorithm of ['ecdsa-p256', 'rsa-2048'] as const) {
    it(`one by a key of ${algorithm} is accepted`, async () => {
      const { privateKey, publicKey } = await generateKeyPair(algorithm)
      assert.equal(verifyRenewalProof(publicKey, csr, signRenewalProof(privateKey, csr)), true)
    })

    it(`one by a key of ${algorithm} is what OpenSSL verifies over the context and the request`, async () => {
      const { privateKey, publicKey } = await generateKeyPair(algorithm)
      const args = ['dgst', '-sha256', '-verify', 'key.pem', '-signature', 'signature', 'signed']
      const answer = openssl(args, {
        'key.pem': publicKey.export({ type: 'spki', format: 'pem' }),
        signature: signRenewalProof(privateKey, csr),
        signed: Buffer.concat([Buffer.from('countersign renewal v1\0'), csr])
      })
      assert.equal(answer.toString(), 'Verified OK\n')
    })
  }

  const refused: Record<string, () => boolean> = {
    'one for another request': () =>
      verifyRenewalProof(keyPair.publicKey, csr, signRenewalProof(keyPair.privateKey, Buffer.from('another'))),
    'one by another key': () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      return verifyRenewalProof(keyPair.publicKey, csr, signRenewalProof(privateKey, csr))
    },
    'a signature over the request alone': () =>
      verifyRenewalProof(keyPair.publicKey, csr, sign('sha256', csr, keyPair.privateKey)),
    'an empty signature': () => verifyRenewalProof(keyPair.publicKey, csr, Buffer.alloc(0)),
    'one by a key of a type that is not used here': () => {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519')
      return verifyRenewalProof(publicKey, csr, sign(null, csr, privateKey))
    }
  }
  for (const [what, verify] of Object.entries(refused))
    it(`${what} is refused`, () => {
      assert.equal(verify(), false)
    })
})
