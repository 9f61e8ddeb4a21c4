import { generateKeyPair, type KeyObject, randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import type { JWK } from 'oidc-provider'

const generate = promisify(generateKeyPair)

/** A private key of each algorithm, as JSON Web Keys (RFC 7517), each with an ID that no other has. */
export async function newKeys(): Promise<readonly JWK[]> {
  const pairs = await Promise.all([
    generate('rsa', { modulusLength: 2048 }).then(({ privateKey }) => jwk('RS256', privateKey)),
    generate('ec', { namedCurve: 'P-256' }).then(({ privateKey }) => jwk('ES256', privateKey)),
    generate('ed25519', {}).then(({ privateKey }) => jwk('EdDSA', privateKey))
  ])
  return pairs
}

const jwk = (alg: string, key: KeyObject): JWK =>
  ({ ...key.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() }) as JWK
