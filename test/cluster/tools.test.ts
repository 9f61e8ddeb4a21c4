import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ClusterError } from './cluster-error.ts'
import { KUBERNETES_VERSIONS } from './settings.ts'
import { type Tool, toolSource, toolsFor } from './tools.ts'

const [kube] = toolsFor('1.37') as [Tool]
const only =
  (...files: readonly string[]) =>
  (file: string): boolean =>
    files.includes(file)

describe('toolSource', () => {
  it('takes the folder that was named before anything else', () => {
    const source = toolSource(kube, { tools: '/tools' }, '/cache', () => true)
    assert.deepEqual(source, { kind: 'packed', from: '/tools/kube-1.37.xz', to: '/cache/packed/kube-1.37' })
  })

  it('takes the cache when no folder was named', () => {
    const source = toolSource(kube, { tools: undefined }, '/cache', only('/cache/kube-1.37.2/kube'))
    assert.deepEqual(source, { kind: 'cached', to: '/cache/kube-1.37.2/kube' })
  })

  it('builds what is nowhere, and never takes another version', () => {
    const source = toolSource(kube, { tools: undefined }, '/cache', only('/cache/kube-1.34.4/kube'))
    assert.deepEqual(source, { kind: 'built', to: '/cache/kube-1.37.2/kube' })
  })

  it('refuses a folder that lacks the program, also when the cache has it', () => {
    assert.throws(
      () => toolSource(kube, { tools: '/tools' }, '/cache', only('/cache/kube-1.37.2/kube', '/tools/kube-1.34.xz')),
      error =>
        error instanceof ClusterError && /no kube-1\.37\.xz in it/.test(error.message) && /unset it/.test(error.next)
    )
  })
})

describe('the programs of a cluster', () => {
  const modules = join(import.meta.dirname, 'tools')

  for (const version of KUBERNETES_VERSIONS)
    it(`are built from exact modules, for Kubernetes ${version}`, () => {
      const tools = toolsFor(version)
      assert.deepEqual(
        tools.map(({ name }) => name),
        ['kube', 'coredns', 'helm']
      )
      for (const { module, modfile = 'go.mod', version: exact } of tools) {
        const file = join(modules, module, modfile)
        assert.match(readFileSync(file, 'utf8'), new RegExp(`\\bv${exact.replaceAll('.', '\\.')}\\b`), file)
        assert.ok(existsSync(file.replace(/\.mod$/, '.sum')), `${file} has no sums`)
      }
    })

  it('call themselves by their version', () => {
    assert.match(kube.linkerFlags, /component-base\/version\.gitVersion=v1\.37\.2 /)
    assert.match(kube.linkerFlags, /client-go\/pkg\/version\.gitMinor=37 /)
  })
})
