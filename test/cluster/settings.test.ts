import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SettingsError } from './cluster-error.ts'
import { layoutOf, nodeNames, readSettings } from './settings.ts'

describe('readSettings', () => {
  it('has two nodes of the older Kubernetes by default, and installs nothing', () => {
    assert.deepEqual(readSettings({}), {
      folder: '/var/tmp/countersign-cluster',
      isFolderNamed: false,
      nodes: 2,
      kubernetes: '1.34',
      tools: undefined,
      installPackages: false
    })
  })

  it('takes what the environment says', () => {
    const env = {
      NODES: '1',
      KUBERNETES: '1.37',
      CLUSTER: '/srv/c',
      COUNTERSIGN_TOOLS: '/t/',
      COUNTERSIGN_CLUSTER_INSTALL: '1'
    }
    assert.deepEqual(readSettings(env), {
      folder: '/srv/c',
      isFolderNamed: true,
      nodes: 1,
      kubernetes: '1.37',
      tools: '/t',
      installPackages: true
    })
  })

  it('takes a variable that is set to nothing for one that is not set', () => {
    const names = ['NODES', 'KUBERNETES', 'CLUSTER', 'COUNTERSIGN_TOOLS', 'COUNTERSIGN_CLUSTER_INSTALL']
    assert.deepEqual(readSettings(Object.fromEntries(names.map(name => [name, '']))), readSettings({}))
  })

  const refusals: readonly [name: string, value: string, message: RegExp][] = [
    ['NODES', '0', /NODES is 0, expected a number from 1 to 5/],
    ['NODES', '6', /expected a number from 1 to 5/],
    ['NODES', 'two', /expected a number/],
    ['NODES', '1.5', /expected a number/],
    ['KUBERNETES', '1.33', /KUBERNETES is 1\.33, expected 1\.34 or 1\.37/],
    ['KUBERNETES', '1.34.4', /expected 1\.34 or 1\.37/],
    ['COUNTERSIGN_CLUSTER_INSTALL', 'yes', /expected 1 or 0/],
    ['CLUSTER', '/', /at most 60 bytes/],
    ['CLUSTER', `/${'a'.repeat(60)}`, /at most 60 bytes/],
    ['CLUSTER', '/srv/two words', /expected letters, digits, dots, dashes and slashes/],
    ['CLUSTER', '/run/cluster', /the nodes have a \/run of their own/],
    ['CLUSTER', '/var/lib', /the nodes have a \/var\/lib of their own/]
  ]
  for (const [name, value, message] of refusals)
    it(`refuses ${name}=${value}, and says what to do`, () => {
      assert.throws(
        () => readSettings({ [name]: value }),
        error => error instanceof SettingsError && message.test(error.message) && /unset/.test(error.next)
      )
    })
})

describe('the names of a cluster', () => {
  it('differ from node to node', () => {
    const nodes = nodeNames(5)
    for (const key of ['name', 'netns', 'address', 'ipv6Address', 'podSubnet', 'ipv6PodSubnet', 'cgroup'] as const)
      assert.equal(new Set(nodes.map(node => node[key])).size, 5, key)
  })

  it('keep every file in the folder of the cluster', () => {
    const { pki, machine, folder, ...files } = layoutOf('/srv/c')
    for (const file of [...Object.values(files), pki('ca.crt'), machine('node0')])
      assert.ok(file.startsWith(`${folder}/`), file)
  })
})
