import { create } from '@bufbuild/protobuf'
import {
  type TokenProvider,
  type TokenRule,
  TokenRuleSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { portGroups } from './port-groups.ts'

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
  return portGroups(accepted.map(({ provider, exemptPorts }) => ({ name: provider.name, exemptPorts })))
    .filter(({ names }) => names.length > 0)
    .map(({ names, exemptPorts }) => create(TokenRuleSchema, { providers: [...names], exemptPorts: [...exemptPorts] }))
}
