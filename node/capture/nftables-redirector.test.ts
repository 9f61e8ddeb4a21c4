import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { NO_EXCLUSIONS } from '../../shared/exclusions/index.ts'
import { NftablesRedirector } from './nftables-redirector.ts'
import { nftablesText } from './nftables-text.ts'
import { captureRuleset } from './ruleset.ts'
import type { RunOptions } from './run-bounded.ts'

interface Ran {
  readonly line: string
  readonly options: RunOptions | undefined
}

const IN_PLACE = nftablesText(captureRuleset(NO_EXCLUSIONS))

function redirector(answer: (line: string) => string): { redirector: NftablesRedirector; ran: Ran[] } {
  const ran: Ran[] = []
  const run = async (command: string, args: readonly string[], options?: RunOptions): Promise<string> => {
    const line = [command, ...args].join(' ')
    ran.push({ line, options })
    return answer(line)
  }
  return { redirector: new NftablesRedirector(run), ran }
}

const network = (hasIpv6: boolean) => ({
  descriptor: 42,
  hasIpv6,
  speaksIpv6: true,
  hasLegacyTables: false,
  hasOwnUsers: false,
  close() {}
})
const INSIDE = 'nsenter --net=/proc/self/fd/3'

describe('capture by nftables', () => {
  it('puts the rules in place in the namespace that was opened, and reads them back', async () => {
    const { redirector: one, ran } = redirector(line => (line.includes('list') ? IN_PLACE : ''))
    await one.apply(network(false), NO_EXCLUSIONS)
    assert.deepEqual(
      ran.map(({ line }) => line),
      [
        `${INSIDE} ip -4 route replace local 192.0.2.6 dev lo table local src 127.0.0.1`,
        `${INSIDE} nft -f -`,
        `${INSIDE} nft list table inet countersign`
      ]
    )
    assert.equal(ran[1]?.options?.input, IN_PLACE)
    for (const { options } of ran) assert.equal(options?.descriptor, 42)
  })

  it('adds routes to the addresses of the proxy’s deliveries before the rules, in IPv6 where there is any', async () => {
    const { redirector: one, ran } = redirector(line => (line.includes('list') ? IN_PLACE : ''))
    await one.apply(network(true), NO_EXCLUSIONS)
    assert.deepEqual(
      ran.slice(0, 2).map(({ line }) => line),
      [
        `${INSIDE} ip -4 route replace local 192.0.2.6 dev lo table local src 127.0.0.1`,
        `${INSIDE} ip -6 route replace local 2001:db8::6 dev lo table local src ::1`
      ]
    )
    assert.equal(ran.length, 4)
  })

  it('fails when the rules were accepted and are not there', async () => {
    const { redirector: one } = redirector(line => (line.includes('list') ? 'table inet countersign {\n}\n' : ''))
    await assert.rejects(one.apply(network(false), NO_EXCLUSIONS), {
      code: 'ERR_CAPTURE_FAILED',
      message: 'rules were accepted and are not in place: chains arriving, inbound, outbound'
    })
  })

  for (const step of ['ip -4', 'ip -6', 'nft -f', 'nft list'])
    it(`fails when \`${step}\` does, and goes no further`, async () => {
      const { redirector: one, ran } = redirector(line => {
        if (line.includes(step)) throw new CountersignError('ERR_CAPTURE_FAILED', `${step} failed`)
        return ''
      })
      await assert.rejects(one.apply(network(true), NO_EXCLUSIONS), { message: `${step} failed` })
      assert.ok(ran.at(-1)?.line.includes(step))
    })

  it('takes its table away in one transaction, which is none where there is no table', async () => {
    const { redirector: one, ran } = redirector(() => '')
    await one.remove(network(true))
    assert.deepEqual(
      ran.map(({ line, options }) => [line, options?.input]),
      [[`${INSIDE} nft -f -`, 'table inet countersign\ndelete table inet countersign\n']]
    )
  })
})
