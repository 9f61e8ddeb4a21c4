import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { TokenProviderSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { acceptingRules } from './accepting-rules.ts'

const PORTS = [1, 2, 3, 4]
const subsets = Array.from({ length: 2 ** PORTS.length }, (_, bits) => PORTS.filter((_, bit) => bits & (1 << bit)))

/** As a proxy decides: the first rule that does not exempt the port. */
function providersOn(port: number, exempt: readonly (readonly number[])[]): readonly string[] {
  const accepted = exempt.map((exemptPorts, index) => ({
    provider: create(TokenProviderSchema, { name: `p${index}` }),
    exemptPorts
  }))
  return acceptingRules(accepted).find(({ exemptPorts }) => !exemptPorts.includes(port))?.providers ?? []
}

describe('rules of several RequestAuthentications', () => {
  it('accept on every port the tokens of those that do not exempt it', t => {
    let count = 0
    for (const first of subsets)
      for (const second of subsets)
        for (const third of [[], [1], [2, 3], PORTS])
          for (const port of [...PORTS, 8080]) {
            const exempt = [first, second, third]
            const expected = exempt.flatMap((ports, index) => (ports.includes(port) ? [] : [`p${index}`]))
            assert.deepEqual(providersOn(port, exempt), expected, JSON.stringify({ port, exempt }))
            count++
          }
    t.diagnostic(`${count} combinations of exemptions and ports`)
  })

  it('are one where none exempts a port, and none where there is no provider', () => {
    const provider = create(TokenProviderSchema, { name: 'p' })
    assert.equal(acceptingRules([{ provider, exemptPorts: [] }]).length, 1)
    assert.deepEqual(acceptingRules([]), [])
  })
})
