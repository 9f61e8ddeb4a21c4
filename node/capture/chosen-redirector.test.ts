import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { NO_EXCLUSIONS } from '../../shared/exclusions/index.ts'
import { Readiness } from '../../shared/lifecycle/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { ChosenRedirector } from './chosen-redirector.ts'
import type { CaptureChoice, MeansName } from './means.ts'
import type { PodNetwork } from './pod-network.ts'
import type { RemovableRedirector } from './redirector.ts'

const NAMES: readonly MeansName[] = ['nftables', 'iptables-nft', 'iptables-legacy']
const SCRATCH = 1
const POD = 2

const network = (descriptor: number, close = (): void => {}): PodNetwork => ({
  ...{ descriptor, hasIpv6: true, speaksIpv6: true, hasLegacyTables: false, hasOwnUsers: false, close }
})

describe('the choice of a means of capture', () => {
  let broken: Set<string>
  let done: string[]
  let lines: string
  let opened: number
  let clock: FakeClock
  let readiness: Readiness
  beforeEach(() => {
    broken = new Set()
    done = []
    lines = ''
    opened = 0
    clock = new FakeClock()
  })

  const meansOf = (name: MeansName): RemovableRedirector => {
    const act = (what: string) => async (where: PodNetwork) => {
      if (broken.has(name) || broken.has(`${what} ${name}`))
        throw new CountersignError('ERR_CAPTURE_FAILED', `${name} is broken`)
      if (where.descriptor === POD) done.push(`${what} ${name}`)
    }
    return { apply: act('apply'), remove: act('remove') }
  }
  const create = (choice: CaptureChoice): ChosenRedirector => {
    const log = createLogger('node', 'trace', {
      write: line => {
        lines += line
      }
    })
    readiness = new Readiness(log)
    return new ChosenRedirector({
      choice,
      clock,
      log,
      debt: readiness.owe('capture'),
      means: Object.fromEntries(NAMES.map(name => [name, meansOf(name)])) as Record<MeansName, RemovableRedirector>,
      openScratch: async () => {
        opened++
        return network(SCRATCH, () => opened--)
      }
    })
  }
  const ofPod = network(POD)

  const rows: [CaptureChoice, broken: MeansName[], chosen: MeansName | undefined][] = [
    ['auto', [], 'nftables'],
    ['auto', ['nftables'], 'iptables-nft'],
    ['auto', ['nftables', 'iptables-nft'], 'iptables-legacy'],
    ['auto', [...NAMES], undefined],
    ['nftables', ['iptables-nft', 'iptables-legacy'], 'nftables'],
    ['nftables', ['nftables'], undefined],
    ['iptables', [], 'iptables-nft'],
    ['iptables', ['iptables-nft'], 'iptables-legacy'],
    ['iptables', ['iptables-nft', 'iptables-legacy'], undefined],
    ['iptables-nft', ['iptables-nft'], undefined],
    ['iptables-legacy', [], 'iptables-legacy']
  ]
  for (const [choice, without, chosen] of rows)
    it(`is ${chosen ?? 'none'} for ${choice} where ${without.join(', ') || 'nothing'} is broken`, async () => {
      broken = new Set(without)
      const redirector = create(choice)
      await redirector.start()
      assert.equal(readiness.ready, chosen !== undefined)
      assert.equal(opened, 0, 'every network namespace of a trial is closed again')
      if (chosen === undefined)
        await assert.rejects(redirector.apply(ofPod, NO_EXCLUSIONS), {
          code: 'ERR_CAPTURE_FAILED',
          message: new RegExp(`^capture by ${choice} does not work here: .*${without.at(-1)} is broken`)
        })
      else {
        await redirector.apply(ofPod, NO_EXCLUSIONS)
        const others = NAMES.filter(name => name !== chosen && !broken.has(name))
        assert.deepEqual(done, [`apply ${chosen}`, ...others.map(name => `remove ${name}`)])
      }
      redirector.close()
    })

  it('is logged with what did not work, and why', async () => {
    broken = new Set(['nftables'])
    await create('auto').start()
    assert.match(lines, /"asked":"auto","means":"iptables-nft","failed":\["nftables: nftables is broken"\]/)
  })

  it('is made once', async () => {
    const redirector = create('auto')
    await redirector.start()
    broken.add('nftables')
    await assert.rejects(redirector.apply(ofPod, NO_EXCLUSIONS), /nftables is broken/)
    assert.deepEqual(done, [], 'and nothing of the others is taken away')
  })

  it('is tried again while nothing works', async () => {
    broken = new Set(NAMES)
    const redirector = create('auto')
    await redirector.start()
    await clock.advance(30_000)
    assert.equal(readiness.ready, false)
    broken.clear()
    await clock.advance(30_000)
    assert.equal(readiness.ready, true)
    assert.equal(clock.pending, 0)
  })

  it('is not tried again once closed', async () => {
    broken = new Set(NAMES)
    const redirector = create('auto')
    await redirector.start()
    redirector.close()
    assert.equal(clock.pending, 0)
  })

  it('captures a pod although rules of another means cannot be taken away, and says so', async () => {
    const redirector = create('auto')
    await redirector.start()
    broken.add('remove iptables-nft')
    await redirector.apply(ofPod, NO_EXCLUSIONS)
    assert.deepEqual(done, ['apply nftables', 'remove iptables-legacy'])
    assert.match(lines, /"means":"iptables-nft".*were not taken away/)
  })
})
