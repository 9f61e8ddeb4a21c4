// The programs of capture as they are in the image: taken out of it, and run with nothing else around them.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { IptablesRedirector } from '../../node/capture/iptables-redirector.ts'
import { NftablesRedirector } from '../../node/capture/nftables-redirector.ts'
import type { RemovableRedirector } from '../../node/capture/redirector.ts'
import { runBounded } from '../../node/capture/run-bounded.ts'
import type { Run } from '../../node/capture/run-inside.ts'
import { openScratchNetwork } from '../../node/capture/scratch-network.ts'
import { CAPTURE_TOOLS } from '../../tools/images/recipes.ts'
import { toolsTree } from '../../tools/images/trees.ts'
import { unpack } from '../../tools/images/unpack.ts'

const EXCLUSIONS = {
  inboundPorts: [22],
  outboundPorts: Array.from({ length: 20 }, (_, index) => index + 1),
  outboundCidrs: [{ family: 'ip', text: '10.0.0.0/8' }],
  interfaces: ['net1'],
  outboundUsers: [2000]
} as const

describe('the image of the privileged container', () => {
  let folder = ''
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-image-'))
    await unpack(toolsTree(CAPTURE_TOOLS), folder)
    mkdirSync(join(folder, 'run'))
  })
  after(() => rmSync(folder, { recursive: true }))

  // What is run inside of a namespace is that of the image.
  const run: Run = (command, [namespace = '', ...inside] = [], options) =>
    runBounded(command, [namespace, 'chroot', folder, ...inside], options)

  const means: Record<string, RemovableRedirector> = {
    nftables: new NftablesRedirector(run),
    'iptables-nft': new IptablesRedirector('nft', run),
    'iptables-legacy': new IptablesRedirector('legacy', run)
  }
  for (const [name, redirector] of Object.entries(means))
    it(`has all that capture by ${name} needs`, async () => {
      const network = { ...(await openScratchNetwork()), hasLegacyTables: true }
      try {
        await redirector.apply(network, EXCLUSIONS)
        await redirector.remove(network)
      } finally {
        network.close()
      }
    })

  for (const variant of ['nft', 'legacy'])
    it(`can read rules of others by iptables-${variant}, whatever they match`, async () => {
      const network = await openScratchNetwork()
      const { descriptor } = network
      const theirs = '-A PREROUTING -p tcp -m conntrack --ctstate NEW -m addrtype --dst-type LOCAL -j ACCEPT'
      const inside = (input: string, ...command: string[]): Promise<string> =>
        run('nsenter', ['--net=/proc/self/fd/3', ...command], { input, descriptor })
      try {
        await inside(`*nat\n${theirs}\nCOMMIT\n`, `iptables-${variant}-restore`, '--noflush')
        assert.ok((await inside('', `iptables-${variant}-save`, '-t', 'nat')).includes(theirs))
      } finally {
        network.close()
      }
    })

  it('has a program for every name', async () => {
    for (const name of Object.keys(CAPTURE_TOOLS)) assert.notEqual(await runBounded('chroot', [folder, name, '-V']), '')
  })
})
