// Where codes become tokens: over TLS, the proxy asks nobody who cannot prove to be the issuer.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setDefaultCACertificates } from 'node:tls'
import {
  type Issuer as Authority,
  createRoot,
  generateKeyPair,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  toPem
} from '../../../shared/x509/index.ts'
import { eventually } from '../index.ts'
import type { TokenPod } from '../tokens/token-pod.ts'
import { locationOf, type Visit } from './browser.ts'
import { type Issuer, startIssuer } from './issuer.ts'
import { applyLogin, newBrowser, SITE, startLoginPod } from './login-pod.ts'

const HOUR_MS = 3_600_000
const life = { notBefore: Date.now() - HOUR_MS, notAfter: Date.now() + HOUR_MS }
const root = await createRoot({ commonName: 'a root of the web', ...life })
const stranger = await createRoot({ commonName: 'a root of nobody', ...life })
// As NODE_EXTRA_CA_CERTS would, before a proxy is configured.
setDefaultCACertificates([toPem([root.certificate])])

async function issuerWith(authority: Authority, name: string): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair()
  const leaf = signCertificate({ ...life, usage: 'workload', dnsNames: [name] }, spkiOf(publicKey), authority)
  return startIssuer({ tls: { cert: toPem([leaf]), key: privateKeyToPem(privateKey) } })
}

describe('a token endpoint over TLS', () => {
  let pod: TokenPod
  before(async () => {
    pod = await startLoginPod('127.83.65')
  })
  after(() => pod?.stop())

  /** Somebody comes back from the issuer, which is reached by HTTP in this test. */
  async function comeBack(issuer: Issuer): Promise<Visit> {
    await applyLogin(pod, issuer, { login: { authorizationEndpoint: 'https://accounts.test/auth' } })
    const browser = newBrowser(pod)
    const away = await eventually(async () => {
      const visit = await browser.navigate(`${SITE}/orders`)
      assert.equal(visit.status, 302)
      return visit
    })
    const state = new URL(locationOf(away)).searchParams.get('state') ?? ''
    return browser.open(`${SITE}/oauth2/callback?${new URLSearchParams({ code: 'a-code', state })}`)
  }

  it('is asked when it proves its name by a root that is trusted', async () => {
    const issuer = await issuerWith(root, 'localhost')
    try {
      assert.equal((await comeBack(issuer)).status, 200)
      assert.equal(issuer.requests.length, 1)
    } finally {
      await issuer.stop()
    }
  })

  const STRANGERS = {
    'has another name': () => issuerWith(root, 'elsewhere.test'),
    'proves its name by a root of nobody': () => issuerWith(stranger, 'localhost')
  }
  for (const [who, start] of Object.entries(STRANGERS))
    it(`is told no secret when it ${who}`, async () => {
      const issuer = await start()
      try {
        const { status, seen } = await comeBack(issuer)
        assert.equal(seen, undefined)
        assert.ok(status >= 400, String(status))
        assert.equal(issuer.requests.length, 0)
      } finally {
        await issuer.stop()
      }
    })
})
