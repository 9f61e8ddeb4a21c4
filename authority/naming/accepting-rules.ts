import { create } from '@bufbuild/protobuf'
import {
  type TokenProvider,
  type TokenRule,
  TokenRuleSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'

/** A provider of a RequestAuthentication, and the ports on which that policy is not enforced. */
export interface AcceptedProvider {
  readonly provider: TokenProvider
  readonly exemptPorts: readonly number[]
}

/**
 * The rules of RequestAuthentications: on every port the token of any provider whose policy does not exempt the port.
 * The first rule that matches decides, so the first is for every port that no policy exempts, and each of the others
 * for the exempt ports that have the same providers left. A port that all exempt has none.
 */
export function acceptingRules(accepted: readonly AcceptedProvider[]): readonly TokenRule[] {
  if (accepted.length === 0) return []
  const exempt = [...new Set(accepted.flatMap(({ exemptPorts }) => exemptPorts))].sort((a, b) => a - b)
  const all = accepted.map(({ provider }) => provider.name)
  const left = exempt.map(port => ({
    port,
    providers: accepted.filter(({ exemptPorts }) => !exemptPorts.includes(port)).map(({ provider }) => provider.name)
  }))
  const groups = Map.groupBy(
    left.filter(({ providers }) => providers.length > 0),
    ({ providers }) => JSON.stringify(providers)
  )
  const rule = (providers: readonly string[], exemptPorts: readonly number[]): TokenRule =>
    create(TokenRuleSchema, { providers: [...providers], exemptPorts: [...exemptPorts] })
  return [
    rule(all, exempt),
    ...[...groups.values()].map(group => {
      const ports = new Set(group.map(({ port }) => port))
      return rule(
        group[0]?.providers ?? [],
        exempt.filter(port => !ports.has(port))
      )
    })
  ]
}
