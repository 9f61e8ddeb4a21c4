import { create } from '@bufbuild/protobuf'
import { type Any, anyPack, StringValueSchema } from '@bufbuild/protobuf/wkt'
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema
} from '../../shared/proto/gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js'
import { CidrRangeSchema } from '../../shared/proto/gen/xds/core/v3/cidr_pb.js'
import {
  type TypedExtensionConfig,
  TypedExtensionConfigSchema
} from '../../shared/proto/gen/xds/core/v3/extension_pb.js'
import { IPMatcherSchema } from '../../shared/proto/gen/xds/type/matcher/v3/ip_pb.js'
import {
  type Matcher,
  type Matcher_OnMatch,
  Matcher_OnMatchSchema,
  MatcherSchema
} from '../../shared/proto/gen/xds/type/matcher/v3/matcher_pb.js'
import { familyOf } from './address.ts'

/** A place that connections may be going to, and the name of the filter chain that they are led into. */
export interface Destination {
  readonly address: string
  readonly port: number
  readonly chain: string
}

const extension = (name: string, typedConfig: Any): TypedExtensionConfig =>
  create(TypedExtensionConfigSchema, { name, typedConfig })

const DESTINATION_PORT = extension(
  'destination-port',
  anyPack(DestinationPortInputSchema, create(DestinationPortInputSchema))
)
const DESTINATION_IP = extension('destination-ip', anyPack(DestinationIPInputSchema, create(DestinationIPInputSchema)))

const APPLICATION_PROTOCOL = extension(
  'application-protocol',
  anyPack(ApplicationProtocolInputSchema, create(ApplicationProtocolInputSchema))
)

/** What becomes of a connection, by the name of the chain that its destination has. */
type Lead = (chain: string) => Matcher_OnMatch

/**
 * Chooses a filter chain by where a connection was going: its port, then its address. Of destinations that are the
 * same, the first holds. `wholePorts`: ports that lead into one chain, by its name, whatever the address. What is none
 * of these is left to the default chain.
 *
 * Addresses stand here and not in the chains: Envoy closes the connections of a chain that is not as it was, and
 * addresses come and go all the time. `lead`: how a destination's name stands for a chain; by default it is the chain's.
 *
 * Source: Envoy, "Matching API" and Listener.filter_chain_matcher; xds.type.matcher.v3.IPMatcher.
 */
export function destinationMatcher(
  wholePorts: ReadonlyMap<number, string>,
  destinations: Iterable<Destination>,
  lead: Lead = leadTo
): Matcher {
  const map: Record<string, Matcher_OnMatch> = {}
  for (const [port, addresses] of byPort(destinations))
    if (!wholePorts.has(port)) map[port] = onMatch({ case: 'matcher', value: addressMatcher(addresses, lead) })
  for (const [port, chain] of wholePorts) map[port] = leadTo(chain)
  return create(MatcherSchema, {
    matcherType: {
      case: 'matcherTree',
      value: { input: DESTINATION_PORT, treeType: { case: 'exactMatchMap', value: { map } } }
    }
  })
}

/** For each port the chain of each address, in order. */
function byPort(destinations: Iterable<Destination>): ReadonlyMap<number, ReadonlyMap<string, string>> {
  const ports = new Map<number, Map<string, string>>()
  for (const { address, port, chain } of destinations) {
    const addresses = ports.get(port) ?? new Map<string, string>()
    ports.set(port, addresses)
    if (!addresses.has(address)) addresses.set(address, chain)
  }
  return ports
}

function addressMatcher(chains: ReadonlyMap<string, string>, lead: Lead): Matcher {
  const byChain = new Map<string, string[]>()
  for (const [address, chain] of chains) {
    const addresses = byChain.get(chain)
    if (addresses === undefined) byChain.set(chain, [address])
    else addresses.push(address)
  }
  const matcher = create(IPMatcherSchema, {
    rangeMatchers: [...byChain].map(([chain, addresses]) => ({
      ranges: addresses.map(hostRange),
      onMatch: lead(chain)
    }))
  })
  return create(MatcherSchema, {
    matcherType: {
      case: 'matcherTree',
      value: {
        input: DESTINATION_IP,
        treeType: { case: 'customMatch', value: extension('addresses', anyPack(IPMatcherSchema, matcher)) }
      }
    }
  })
}

const hostRange = (address: string) =>
  create(CidrRangeSchema, { addressPrefix: address, prefixLen: familyOf(address) === 'ipv4' ? 32 : 128 })

/** The chain under one name where the HTTP inspector found one of these, and under another where it did not. */
export const leadByProtocol = (found: readonly string[], there: string, elsewhere: string): Matcher_OnMatch =>
  onMatch({
    case: 'matcher',
    value: create(MatcherSchema, {
      matcherType: {
        case: 'matcherTree',
        value: {
          input: APPLICATION_PROTOCOL,
          treeType: {
            case: 'exactMatchMap',
            // The input is a list, each in quotes; the inspector finds one.
            value: { map: Object.fromEntries(found.map(protocol => [`'${protocol}'`, leadTo(there)])) }
          }
        }
      },
      onNoMatch: leadTo(elsewhere)
    })
  })

const leadTo = (chain: string): Matcher_OnMatch =>
  onMatch({
    case: 'action',
    value: extension('chain', anyPack(StringValueSchema, create(StringValueSchema, { value: chain })))
  })

const onMatch = (value: Matcher_OnMatch['onMatch']): Matcher_OnMatch =>
  create(Matcher_OnMatchSchema, { onMatch: value })
