import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chartArguments } from './install-chart.ts'

describe('chartArguments', () => {
  const references = new Map(
    ['webhook', 'authority', 'agent', 'node', 'proxy', 'echo'].map(name => [name, `r/${name}:1`])
  )

  it('gives the chart the image of every program, and not that of the example', () => {
    const args = chartArguments(references)
    const images = args.filter((_, index) => args[index - 1] === '--set-string')
    assert.deepEqual(images, [
      'images.webhook=r/webhook:1',
      'images.authority=r/authority:1',
      'images.agent=r/agent:1',
      'images.node=r/node:1',
      'images.proxy=r/proxy:1'
    ])
  })

  it('waits, in a namespace that it makes', () => {
    const args = chartArguments(references)
    assert.deepEqual(args.slice(0, 2), ['install', 'countersign'])
    for (const flag of ['--wait', '--create-namespace']) assert.ok(args.includes(flag), flag)
  })

  it('refuses to install an image that was not made', () => {
    assert.throws(() => chartArguments(new Map([['webhook', 'r/webhook:1']])), TypeError)
  })
})
