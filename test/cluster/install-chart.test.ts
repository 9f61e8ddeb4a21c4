import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chartArguments } from './install-chart.ts'

describe('chartArguments', () => {
  it('names the proxy of this checkout, split as the chart wants it', () => {
    const args = chartArguments(new Map([['proxy', 'countersign.dev/proxy:1.40.0']]))
    assert.ok(args.includes('images.proxy.repository=countersign.dev/proxy'))
    assert.ok(args.includes('images.proxy.tag=1.40.0'))
  })

  it('splits at the last colon: a registry may have a port', () => {
    const args = chartArguments(new Map([['proxy', 'registry.test:5000/proxy:1']]))
    assert.ok(args.includes('images.proxy.repository=registry.test:5000/proxy'))
  })

  it('waits until the release is ready, in the namespace of the system', () => {
    const args = chartArguments(new Map([['proxy', 'r/proxy:1']]))
    for (const part of ['--wait', '--timeout', '--create-namespace', 'countersign-system'])
      assert.ok(args.includes(part), part)
  })

  it('refuses to go on without an image of the proxy', () => {
    assert.throws(() => chartArguments(new Map([['webhook', 'r/webhook:1']])), TypeError)
    assert.throws(() => chartArguments(new Map([['proxy', 'no-tag']])), TypeError)
  })
})
