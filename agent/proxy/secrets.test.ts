import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import { type Issuer, parsePem, privateKeyFromPem } from '../../shared/x509/index.ts'
import type { Resource } from '../../shared/xds/index.ts'
import { resourceJson } from '../../test/envoy/index.ts'
import { newRoot, newService, newState, newSvid, spiffeId } from './fixtures.test-support.ts'
import { hasOwnTrust, identitySecrets, peersSecret, trustSecrets } from './secrets.ts'

interface Validation {
  readonly matchTypedSubjectAltNames?: readonly { sanType: string; matcher: { exact: string } }[]
  readonly customValidatorConfig: {
    readonly typedConfig: { readonly trustDomains: readonly { name: string; trustBundle: { inlineString: string } }[] }
  }
}

const validationOf = (secret: Resource | undefined): Validation => {
  assert.ok(secret)
  return resourceJson(secret)['validationContext'] as unknown as Validation
}
const domainsOf = (secret: Resource | undefined): string[] =>
  validationOf(secret).customValidatorConfig.typedConfig.trustDomains.map(({ name }) => name)
const allowedBy = (secret: Resource): (string | undefined)[] | undefined =>
  validationOf(secret).matchTypedSubjectAltNames?.map(({ sanType, matcher }) => `${sanType} ${matcher.exact}`)

describe("a pod's secrets", () => {
  let root: Issuer
  let other: Issuer
  before(async () => {
    root = await newRoot()
    other = await newRoot()
  })

  it('are its chain and key, under the names that SDS clients ask for', async () => {
    const svid = await newSvid(root, spiffeId('shop', 'orders'))
    const secrets = identitySecrets(svid)
    assert.deepEqual(
      secrets.map(({ name }) => name),
      ['default', 'spiffe://mesh.test/ns/shop/sa/orders']
    )
    for (const secret of secrets) {
      const { name, tlsCertificate } = resourceJson(secret) as unknown as {
        name: string
        tlsCertificate: Record<'certificateChain' | 'privateKey', { inlineString: string }>
      }
      assert.equal(name, secret.name)
      assert.deepEqual(
        parsePem(tlsCertificate.certificateChain.inlineString).map(({ der }) => der),
        svid.chain.map(({ der }) => der)
      )
      assert.ok(privateKeyFromPem(tlsCertificate.privateKey.inlineString).equals(svid.privateKey))
    }
  })

  it('are encoded once for one SVID', async () => {
    const svid = await newSvid(root, spiffeId('shop', 'orders'))
    assert.equal(identitySecrets(svid), identitySecrets(svid))
    assert.notEqual(identitySecrets({ ...svid }), identitySecrets(svid))
  })

  it('say whom to trust: its own domain, all, and each domain by its name', () => {
    const { mesh } = newState({ roots: [root], foreign: { 'other.test': other } })
    const secrets = new Map(trustSecrets(mesh).map(secret => [secret.name, secret]))
    assert.deepEqual([...secrets.keys()], ['ROOTCA', 'ALL', 'spiffe://mesh.test', 'spiffe://other.test'])
    assert.deepEqual(domainsOf(secrets.get('ROOTCA')), ['mesh.test'])
    assert.deepEqual(domainsOf(secrets.get('ALL')), ['mesh.test', 'other.test'])
    assert.deepEqual(domainsOf(secrets.get('spiffe://other.test')), ['other.test'])
  })

  it('hold every root of a domain while a root is replaced', () => {
    const { mesh } = newState({ roots: [root, other] })
    const [own] = validationOf(trustSecrets(mesh)[0]).customValidatorConfig.typedConfig.trustDomains
    assert.deepEqual(
      parsePem(own?.trustBundle.inlineString ?? '').map(({ der }) => der),
      [root.certificate.der, other.certificate.der]
    )
  })

  it('leave out a domain without roots, which Envoy would refuse', () => {
    const { mesh } = newState({ roots: [root] })
    mesh.trustBundles.push({ ...newState({ roots: [] }).mesh.trustBundles[0], trustDomain: 'empty.test' } as never)
    assert.deepEqual(
      trustSecrets(mesh).map(({ name }) => name),
      ['ROOTCA', 'ALL', 'spiffe://mesh.test']
    )
  })

  it('cannot be made without a root of the own domain', () => {
    assert.ok(hasOwnTrust(newState({ roots: [root] }).mesh))
    assert.ok(!hasOwnTrust(newState({ roots: [] }).mesh))
    assert.ok(!hasOwnTrust(newState({ roots: [], foreign: { 'other.test': other } }).mesh))
  })
})

describe('who may serve a Service', () => {
  let root: Issuer
  let other: Issuer
  before(async () => {
    root = await newRoot()
    other = await newRoot()
  })

  it('is exactly its identities, each once and in an order of its own', () => {
    const { mesh } = newState({ roots: [root] })
    const [a, b] = [spiffeId('shop', 'a').toString(), spiffeId('shop', 'b').toString()]
    const secret = peersSecret(mesh, newService({ identities: [b, a, b] }))
    assert.equal(secret.name, 'peers/shop/orders')
    assert.deepEqual(allowedBy(secret), [`URI ${a}`, `URI ${b}`])
    assert.equal(secret.version, peersSecret(mesh, newService({ identities: [a, b] })).version)
  })

  it('is nobody when there are none, though no matcher at all would mean anybody', () => {
    const { mesh } = newState({ roots: [root] })
    const secret = peersSecret(mesh, newService({ identities: [] }))
    assert.deepEqual(allowedBy(secret), ['URI countersign:nobody'])
    assert.deepEqual(domainsOf(secret), ['mesh.test'])
  })

  it('is verified against the roots of those trust domains alone', () => {
    const { mesh } = newState({ roots: [root], foreign: { 'other.test': other, 'mesh.test.evil': other } })
    const abroad = spiffeId('shop', 'orders', parseTrustDomain('other.test')).toString()
    const home = spiffeId('shop', 'orders').toString()
    assert.deepEqual(domainsOf(peersSecret(mesh, newService({ identities: [home] }))), ['mesh.test'])
    assert.deepEqual(domainsOf(peersSecret(mesh, newService({ identities: [abroad] }))), ['other.test'])
    assert.deepEqual(domainsOf(peersSecret(mesh, newService({ identities: [abroad, home] }))), [
      'mesh.test',
      'other.test'
    ])
  })

  it('is somebody of the own domain at most, when it is said to be of one that is not trusted', () => {
    const { mesh } = newState({ roots: [root] })
    const abroad = spiffeId('shop', 'orders', parseTrustDomain('unknown.test')).toString()
    const secret = peersSecret(mesh, newService({ identities: [abroad] }))
    assert.deepEqual(domainsOf(secret), ['mesh.test'])
    assert.deepEqual(allowedBy(secret), [`URI ${abroad}`])
  })
})
