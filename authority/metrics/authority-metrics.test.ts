import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AuthorityMetrics } from './index.ts'

const linesOf = async (metrics: AuthorityMetrics): Promise<readonly string[]> =>
  (await metrics.registry.metrics()).split('\n').filter(line => line.startsWith('countersign_authority_key_'))

describe("the authority's metrics", () => {
  it('count fetches of keys by outcome, and key sets by condition', async () => {
    const metrics = new AuthorityMetrics(() => 0)
    metrics.keys.onFetch('changed')
    metrics.keys.onFetch('unavailable')
    metrics.keys.onFetch('unavailable')
    metrics.keys.onKeySets({ ready: 2, waiting: 1, failing: 0 }, undefined)
    assert.deepEqual(await linesOf(metrics), [
      'countersign_authority_key_fetches_total{outcome="changed"} 1',
      'countersign_authority_key_fetches_total{outcome="unavailable"} 2',
      'countersign_authority_key_sets{condition="ready"} 2',
      'countersign_authority_key_sets{condition="waiting"} 1',
      'countersign_authority_key_sets{condition="failing"} 0',
      'countersign_authority_key_sets_confirmed_seconds 0'
    ])
    metrics.keys.onKeySets({ ready: 3, waiting: 0, failing: 0 }, 1_500)
    assert.deepEqual((await linesOf(metrics)).slice(2), [
      'countersign_authority_key_sets{condition="ready"} 3',
      'countersign_authority_key_sets{condition="waiting"} 0',
      'countersign_authority_key_sets{condition="failing"} 0',
      'countersign_authority_key_sets_confirmed_seconds 1.5'
    ])
  })

  it('count Secrets with certificates by what they are, and what was written', async () => {
    const metrics = new AuthorityMetrics(() => 0)
    metrics.certificateSecrets.onSecrets({ right: 3, waiting: 2, left: 1 })
    metrics.certificateSecrets.onWritten('missing')
    metrics.certificateSecrets.onWritten('owner')
    metrics.certificateSecrets.onWriteFailed()
    const lines = (await metrics.registry.metrics()).split('\n')
    assert.deepEqual(
      lines.filter(line => /^countersign_authority_certificate(_secret|s_issued)/.test(line)),
      [
        'countersign_authority_certificates_issued_total{kind="account"} 1',
        'countersign_authority_certificate_secrets{state="right"} 3',
        'countersign_authority_certificate_secrets{state="waiting"} 2',
        'countersign_authority_certificate_secrets{state="left"} 1',
        'countersign_authority_certificate_secret_writes_total{reason="missing"} 1',
        'countersign_authority_certificate_secret_writes_total{reason="owner"} 1',
        'countersign_authority_certificate_secret_write_failures_total 1'
      ]
    )
  })
})
