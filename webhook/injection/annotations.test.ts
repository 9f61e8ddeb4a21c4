import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { EXCLUSIONS } from '../../shared/exclusions/index.ts'
import { annotationsPage } from '../../tools/docs/annotations.ts'
import { ANNOTATIONS } from './index.ts'
import { PROXY_PORTS, PROXY_USER } from './names.ts'

describe('the table of annotations', () => {
  it('is what docs/annotations.md says', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/annotations.md'), 'utf8')
    assert.equal(page, annotationsPage(), 'run `npm run docs`')
  })

  it('has names under one prefix, and phrases without a capital, a period or a table bar', () => {
    assert.ok(ANNOTATIONS.size >= 7)
    for (const [name, { meaning, allowed, standard }] of ANNOTATIONS) {
      assert.match(name, /^countersign\.dev\/[a-z-]+$/)
      for (const phrase of [meaning, allowed, standard]) assert.match(phrase, /^(CPU|IPv|[^A-Z|])[^|]*[^.|]$/, name)
    }
  })

  it('lets nobody exclude what the proxy needs for itself', () => {
    const { inboundPorts, outboundUsers } = EXCLUSIONS
    for (const port of Object.values(PROXY_PORTS)) {
      assert.equal(inboundPorts.parse(String(port)), undefined)
      assert.match(ANNOTATIONS.get(inboundPorts.name)?.allowed ?? '', new RegExp(`\\b${port}\\b`))
    }
    assert.equal(outboundUsers.parse(String(PROXY_USER)), undefined)
  })

  it('reads every list of exclusions that there is', () => {
    for (const { name, allowed } of Object.values(EXCLUSIONS)) assert.equal(ANNOTATIONS.get(name)?.allowed, allowed)
  })
})
