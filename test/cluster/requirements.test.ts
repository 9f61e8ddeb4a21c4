import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { describe, it } from 'node:test'
import { ClusterError } from './cluster-error.ts'
import { BROWSER, cniFolder, type Machinery, missingPackages, refuseMachine } from './requirements.ts'

const machine = (changes: Partial<Machinery>): Machinery => ({
  platform: 'linux',
  isRoot: true,
  exists: () => true,
  ...changes
})

const without = (...names: readonly string[]): Machinery => machine({ exists: file => !names.includes(basename(file)) })

describe('missingPackages', () => {
  it('finds nothing on a machine that has everything', () => {
    assert.deepEqual(missingPackages(machine({})), [])
  })

  it('names every package on a machine that has nothing', () => {
    assert.deepEqual(missingPackages(machine({ exists: () => false })), [
      'busybox-static',
      'conntrack',
      'containerd',
      'containernetworking-plugins',
      'iproute2',
      'iptables',
      'mount',
      'nftables',
      'openssl',
      'runc',
      'util-linux',
      'xz-utils'
    ])
  })

  it('names a package once, however many of its programs are missing', () => {
    assert.deepEqual(missingPackages(without('containerd', 'ctr')), ['containerd'])
  })

  it('notices a single missing plugin', () => {
    assert.deepEqual(missingPackages(without('ptp')), ['containernetworking-plugins'])
  })

  it('names a browser where one is needed, and nowhere else', () => {
    assert.deepEqual(missingPackages(without('chromium'), [BROWSER]), ['chromium'])
    assert.deepEqual(missingPackages(without('chromium')), [])
  })

  it('finds programs for root that are not on the PATH of everybody', () => {
    const files = ['/usr/sbin/iptables', '/usr/sbin/nft']
    const missing = missingPackages(machine({ exists: file => files.includes(file) }))
    assert.ok(!missing.includes('iptables') && !missing.includes('nftables'))
  })
})

describe('refuseMachine', () => {
  it('takes root on Linux', () => {
    refuseMachine(machine({}))
  })

  it('refuses a machine that is not Linux, and says what works there', () => {
    assert.throws(
      () => refuseMachine(machine({ platform: 'darwin' })),
      error => error instanceof ClusterError && /this is darwin/.test(error.message) && /npm run demo/.test(error.next)
    )
  })

  it('refuses who is not root, and says how to become it', () => {
    assert.throws(
      () => refuseMachine(machine({ isRoot: false })),
      error => error instanceof ClusterError && /needs root/.test(error.message) && /sudo/.test(error.next)
    )
  })

  it('refuses a kernel without IPv6, and says how to get it', () => {
    assert.throws(
      () => refuseMachine(without('if_inet6')),
      error => error instanceof ClusterError && /no IPv6/.test(error.message) && /ipv6.disable/.test(error.next)
    )
  })
})

describe('cniFolder', () => {
  it('is the first that has every plugin', () => {
    assert.equal(cniFolder(machine({})), '/usr/lib/cni')
    assert.equal(cniFolder(machine({ exists: file => file.startsWith('/opt/') })), '/opt/cni/bin')
    assert.equal(cniFolder(without('portmap')), undefined)
  })
})
