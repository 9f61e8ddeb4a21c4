import type { webcrypto } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { LocalPod } from './pod.ts'

const AUDIENCE = 'countersign-ca'
const ISSUER = 'https://kubernetes.default.svc.cluster.local'
const LIFETIME = '1h'

export interface TokenChanges {
  readonly audience?: readonly string[]
  /** As jose writes it, from now: `1h`, `-1h`. */
  readonly expires?: string
}

/**
 * Plays the API server's part: signs service account tokens that are bound to a pod, with the claims that Kubernetes
 * puts into them from 1.32 on, and writes the public keys as a JWKS file (RFC 7517).
 */
export class TokenIssuer {
  readonly issuer = ISSUER
  readonly #key: webcrypto.CryptoKey
  readonly #keyId = 'local'

  private constructor(key: webcrypto.CryptoKey) {
    this.#key = key
  }

  static async create(jwksFile: string): Promise<TokenIssuer> {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const jwk = { ...(await exportJWK(publicKey)), kid: 'local', alg: 'ES256', use: 'sig' }
    await writeFile(jwksFile, `${JSON.stringify({ keys: [jwk] }, null, 2)}\n`)
    return new TokenIssuer(privateKey)
  }

  /** A token for `pod` as the kubelet would get it from a TokenRequest; `changes` make one that it would not get. */
  async issue(pod: LocalPod, changes: TokenChanges = {}): Promise<string> {
    const { namespace, serviceAccount, name, uid, node } = pod
    return new SignJWT({
      'kubernetes.io': {
        namespace,
        pod: { name, uid },
        serviceaccount: { name: serviceAccount, uid: `${namespace}-${serviceAccount}` },
        node: { name: node, uid: node }
      }
    })
      .setProtectedHeader({ alg: 'ES256', kid: this.#keyId })
      .setIssuer(this.issuer)
      .setAudience([...(changes.audience ?? [AUDIENCE])])
      .setSubject(`system:serviceaccount:${namespace}:${serviceAccount}`)
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime(changes.expires ?? LIFETIME)
      .sign(this.#key)
  }
}
