import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { NO_EXCLUSIONS } from '../../shared/exclusions/index.ts'
import { IptablesRedirector, type IptablesVariant } from './iptables-redirector.ts'
import type { PodNetwork } from './pod-network.ts'
import type { RunOptions } from './run-bounded.ts'

const INSIDE = 'nsenter --net=/proc/self/fd/3'

/** Tables nat of both families, as far as what is restored into them is told again. */
class FakeIptables {
  readonly ran: { line: string; options: RunOptions | undefined }[] = []
  readonly tables = new Map<string, string>()
  readonly redirector: IptablesRedirector
  /** Part of a command that fails, or is not carried out. */
  fails = 'nothing'
  ignores = 'nothing'

  constructor(variant: IptablesVariant = 'nft') {
    this.redirector = new IptablesRedirector(variant, async (command, args, options) => {
      const line = [command, ...args].join(' ')
      this.ran.push({ line, options })
      if (line.includes(this.fails)) throw new CountersignError('ERR_CAPTURE_FAILED', `${this.fails} failed`)
      const [, program = '', act] = / (ip6?tables)-\w+-(save|restore)/.exec(line) ?? []
      if (act === 'restore' && !line.includes(this.ignores))
        this.tables.set(program, (options?.input ?? '').replace(/^-I (\w+) 1/gm, '-A $1').replace(/^-D.*\n/gm, ''))
      return act === 'save' ? `:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${this.tables.get(program) ?? ''}` : ''
    })
  }

  get lines(): readonly string[] {
    return this.ran.map(({ line }) => line)
  }
}

const network = (fields: Partial<PodNetwork> = {}): PodNetwork => ({
  ...{ descriptor: 42, hasIpv6: true, speaksIpv6: true, hasLegacyTables: false, hasOwnUsers: false },
  ...fields,
  close() {}
})

describe('capture by iptables', () => {
  it('looks at both families, then changes IPv6 and IPv4, and reads both back', async () => {
    const fake = new FakeIptables()
    await fake.redirector.apply(network(), NO_EXCLUSIONS)
    assert.deepEqual(fake.lines, [
      `${INSIDE} ip -4 route replace local 192.0.2.6 dev lo table local src 127.0.0.1`,
      `${INSIDE} ip -6 route replace local 2001:db8::6 dev lo table local src ::1`,
      `${INSIDE} ip6tables-nft-save -t nat`,
      `${INSIDE} iptables-nft-save -t nat`,
      `${INSIDE} ip6tables-nft-restore --noflush --wait=3`,
      `${INSIDE} iptables-nft-restore --noflush --wait=3`,
      `${INSIDE} ip6tables-nft-save -t nat`,
      `${INSIDE} iptables-nft-save -t nat`
    ])
    for (const { options } of fake.ran) assert.equal(options?.descriptor, 42)
  })

  it('captures IPv6 of a pod that has no address of it yet, and adds no route of it', async () => {
    const fake = new FakeIptables('legacy')
    await fake.redirector.apply(network({ hasIpv6: false }), NO_EXCLUSIONS)
    assert.ok(fake.tables.get('ip6tables')?.includes('REDIRECT --to-ports 15006'))
    assert.ok(!fake.lines.some(line => line.includes('ip -6')))
  })

  it('asks nothing of IPv6 where the kernel has none', async () => {
    const fake = new FakeIptables()
    await fake.redirector.apply(network({ hasIpv6: false, speaksIpv6: false }), NO_EXCLUSIONS)
    assert.deepEqual([...fake.tables.keys()], ['iptables'])
    assert.ok(!fake.lines.some(line => line.includes('ip6tables')))
  })

  for (const [step, changed] of [
    ['ip -4', []],
    ['ip -6', []],
    ['ip6tables-nft-save', []],
    [' iptables-nft-save', []],
    ['ip6tables-nft-restore', []],
    [' iptables-nft-restore', ['ip6tables']]
  ] as const)
    it(`fails when \`${step.trim()}\` does, and goes no further`, async () => {
      const fake = new FakeIptables()
      fake.fails = step
      await assert.rejects(fake.redirector.apply(network(), NO_EXCLUSIONS), { message: `${step} failed` })
      assert.deepEqual([...fake.tables.keys()], changed)
      assert.ok(fake.lines.at(-1)?.includes(step))
    })

  it('is completed by the next attempt', async () => {
    const fake = new FakeIptables()
    fake.fails = ' iptables-nft-restore'
    await assert.rejects(fake.redirector.apply(network(), NO_EXCLUSIONS))
    fake.fails = 'nothing'
    await fake.redirector.apply(network(), NO_EXCLUSIONS)
    assert.deepEqual([...fake.tables.keys()], ['ip6tables', 'iptables'])
  })

  for (const program of ['ip6tables', 'iptables'])
    it(`fails when the rules were accepted by ${program} and are not there`, async () => {
      const fake = new FakeIptables()
      fake.ignores = ` ${program}-nft-restore`
      await assert.rejects(fake.redirector.apply(network(), NO_EXCLUSIONS), {
        code: 'ERR_CAPTURE_FAILED',
        message: `rules were accepted and are not in place: chains ${['ARRIVING', 'INBOUND', 'OUTBOUND'].map(name => `COUNTERSIGN_${name} of ${program}`).join(', ')}`
      })
    })

  it('says that it is for lack of user namespaces where that may be the reason', async () => {
    const fake = new FakeIptables()
    fake.fails = 'ip6tables-nft-restore'
    await assert.rejects(fake.redirector.apply(network({ hasOwnUsers: true }), NO_EXCLUSIONS), {
      code: 'ERR_CAPTURE_FAILED',
      message: /hostUsers: false.*ip6tables-nft-restore failed$/
    })
  })

  it('takes its rules away in both families, and does nothing where there are none', async () => {
    const fake = new FakeIptables()
    await fake.redirector.remove(network())
    assert.ok(!fake.lines.some(line => line.includes('restore')))
    await fake.redirector.apply(network(), NO_EXCLUSIONS)
    fake.ran.length = 0
    await fake.redirector.remove(network())
    const removals = fake.ran.filter(({ line }) => line.includes('restore'))
    assert.equal(removals.length, 2)
    for (const { options } of removals)
      assert.match(options?.input ?? '', /^-D PREROUTING(?:.|\n)*^-X COUNTERSIGN_INBOUND$/m)
  })

  it('does not look for its rules where there is no table of the older kind: that would make one', async () => {
    const fake = new FakeIptables('legacy')
    await fake.redirector.remove(network())
    assert.deepEqual(fake.lines, [])
    await fake.redirector.remove(network({ hasLegacyTables: true }))
    assert.equal(fake.lines.length, 2)
  })
})
