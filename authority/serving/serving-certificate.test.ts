import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import {
  type Certificate,
  createRoot,
  type Issuer,
  parsePem,
  privateKeyFromPem,
  verifySvid
} from '../../shared/x509/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { ServingCertificate } from './index.ts'

const trustDomain = parseTrustDomain('example.org')
const HOUR_MS = 3_600_000

async function setUp(): Promise<{ clock: FakeClock; root: Issuer; serving: ServingCertificate; changes: number[] }> {
  const clock = new FakeClock()
  const root = await createRoot({
    commonName: 'test',
    trustDomain,
    notBefore: clock.now() - 1_000,
    notAfter: clock.now() + 48 * HOUR_MS
  })
  const serving = await ServingCertificate.create({
    issuer: { current: () => root },
    trustDomain,
    lifetimeMs: HOUR_MS,
    clock,
    log: createLogger('test', 'fatal')
  })
  const changes: number[] = []
  serving.subscribe(() => changes.push(clock.now()))
  return { clock, root, serving, changes }
}

function leafOf({ cert }: { cert: string }): Certificate {
  const [leaf] = parsePem(cert)
  assert.ok(leaf)
  return leaf
}

/** Key generation runs in the thread pool, which no fake clock moves. */
const renewed = (condition: () => boolean): Promise<void> => eventually(condition, 'a new certificate')

describe('the serving certificate of the authority', () => {
  it('names the authority and verifies against the bundle', async () => {
    const { clock, root, serving } = await setUp()
    const bundles = [{ trustDomain, roots: [root.certificate] }]
    const id = verifySvid(parsePem(serving.current().cert), bundles, clock.now())
    assert.equal(String(id), 'spiffe://example.org/countersign/authority')
    serving.close()
  })

  it('is replaced at half of its life, with a new key and serial, for days', async () => {
    const { clock, serving, changes } = await setUp()
    for (let round = 1; round <= 10; round++) {
      const before = serving.current()
      await clock.advance(HOUR_MS / 2)
      await renewed(() => changes.length === round)
      const after = serving.current()
      assert.notEqual(leafOf(after).serialNumber, leafOf(before).serialNumber)
      assert.ok(privateKeyFromPem(after.key), 'the key cannot be read')
      assert.notEqual(after.key, before.key)
    }
    serving.close()
    assert.equal(clock.pending, 0)
  })

  it('never outlives the issuer', async () => {
    const { clock, root, serving, changes } = await setUp()
    await clock.advance(root.certificate.notAfter - clock.now() - HOUR_MS / 4)
    await renewed(() => changes.length > 0)
    await clock.advance(0)
    assert.ok(leafOf(serving.current()).notAfter <= root.certificate.notAfter)
    serving.close()
  })
})
