import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { envoyBinary } from '../../test/envoy/binary.ts'
import { proxyContainer } from './proxy.ts'
import { parseQuantity, type Quantity } from './quantity.ts'
import { AMOUNTS } from './resources.ts'
import { type InjectionSettings, PROXY_LOG_LEVELS } from './settings.ts'

const quantity = (text: string): Quantity => parseQuantity(text) ?? assert.fail(text)

describe('the arguments of the proxy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-proxy-'))
  const bootstrap = join(folder, 'envoy.json')
  writeFileSync(bootstrap, '{"static_resources":{}}')
  after(() => rmSync(folder, { recursive: true }))

  const resources = {
    cpu: quantity('1m'),
    cpuLimit: quantity('256'),
    memory: quantity('16Mi'),
    memoryLimit: quantity('1Ti')
  }
  const settings: InjectionSettings = {
    image: 'envoy',
    imagePullPolicy: 'IfNotPresent',
    resources,
    logLevel: 'warning',
    drainTimeSeconds: 1,
    excludedNamespaces: new Set()
  }

  const argumentsFor = (logLevel: InjectionSettings['logLevel']): string[] => {
    const { args = [] } = proxyContainer(settings, { resources, logLevel, rewriteProbes: true, exclusions: {} })
    return args.map(argument => (argument === '/run/countersign/envoy.json' ? bootstrap : argument))
  }

  for (const level of PROXY_LOG_LEVELS)
    it(`are ones that Envoy itself takes, at log level ${level}`, () => {
      const run = spawnSync(envoyBinary(), [...argumentsFor(level), '--mode', 'validate'], { encoding: 'utf8' })
      assert.equal(run.status, 0, run.stderr)
    })

  it('would be refused by Envoy if they were wrong', () => {
    const run = spawnSync(envoyBinary(), [...argumentsFor('info'), '--mode', 'validate', '--no-such-option'])
    assert.notEqual(run.status, 0)
  })

  it('name no more workers than the largest CPU limit allows', () => {
    assert.equal(AMOUNTS.cpuLimit.parse('257'), undefined)
    assert.equal(argumentsFor('info')[argumentsFor('info').indexOf('--concurrency') + 1], '256')
  })
})
