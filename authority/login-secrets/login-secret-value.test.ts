import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import { clientSecretProblem, loginSecretValue } from './login-secret-value.ts'

const hmac = (key: Buffer, ...data: readonly (string | Buffer)[]): Buffer => {
  const mac = createHmac('sha256', key)
  for (const part of data) mac.update(part)
  return mac.digest()
}

describe('the key of sessions', () => {
  const secret = Buffer.from('s3cr3t of a client')

  it('is HKDF-SHA256 of the secret, for the policy, without a salt', () => {
    // RFC 5869, sections 2.2 and 2.3: 32 bytes are one block.
    const pseudorandom = hmac(Buffer.alloc(32), secret)
    const expected = hmac(pseudorandom, 'countersign login shop/web', Buffer.from([1]))
    const { hmacKey, clientSecret } = loginSecretValue('shop/web', secret)
    assert.deepEqual(hmacKey, expected)
    assert.equal(clientSecret, secret)
  })

  it('differs by policy, by namespace and by secret', () => {
    const keys = [
      loginSecretValue('shop/web', secret),
      loginSecretValue('shop/app', secret),
      loginSecretValue('bank/web', secret),
      loginSecretValue('shop/web', Buffer.from('another'))
    ].map(({ hmacKey }) => hmacKey.toString('hex'))
    assert.equal(new Set(keys).size, keys.length)
  })
})

describe('the secret of a client', () => {
  for (const text of ['x', ' ~!"\\', 'a'.repeat(4_096)])
    it(`may be ${JSON.stringify(text.slice(0, 10))} of ${text.length} bytes`, () => {
      assert.equal(clientSecretProblem(Buffer.from(text)), undefined)
    })

  const refusals: Readonly<Record<string, readonly [string | Buffer, RegExp]>> = {
    'nothing at all': ['', /^is empty$/],
    'more than it ever is': ['HIDDEN'.repeat(1_000), /^is too long: expected at most 4096 bytes$/],
    'a line, as echo makes it': ['HIDDEN\n', /^ends with a line break/],
    'several lines': ['HIDDEN\nHIDDEN\n', /^is no secret of a client: expected printable ASCII/],
    'a line of another system': ['HIDDEN\r\n', /^is no secret of a client/],
    'a line break': ['\n', /^ends with a line break/],
    'letters beyond ASCII': ['HIDDÉN', /^is no secret of a client/],
    'what is no text': [Buffer.from([0, 255, 128]), /^is no secret of a client/]
  }
  for (const [what, [secret, expected]] of Object.entries(refusals))
    it(`is refused as ${what}, and not shown`, () => {
      const problem = clientSecretProblem(Buffer.from(secret as string)) ?? ''
      assert.match(problem, expected)
      assert.doesNotMatch(problem, /HIDD/)
    })
})
