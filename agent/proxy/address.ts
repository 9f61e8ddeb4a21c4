import { create } from '@bufbuild/protobuf'
import {
  type Address,
  AddressSchema,
  type CidrRange,
  CidrRangeSchema,
  type SocketAddress,
  SocketAddressSchema
} from '../../shared/proto/gen/envoy/config/core/v3/address_pb.js'

export type Family = 'ipv4' | 'ipv6'

/** The family of an IP address in text; whoever wrote it into mesh state has parsed it. */
export const familyOf = (address: string): Family => (address.includes(':') ? 'ipv6' : 'ipv4')

export function socketAddress(address: string, port: number): Address {
  return create(AddressSchema, {
    address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } }
  })
}

/** An address to connect from: whichever port is free. */
export function anyPortOf(address: string): SocketAddress {
  return create(SocketAddressSchema, { address, portSpecifier: { case: 'portValue', value: 0 } })
}

/** The range that holds one address. */
export function hostRange(address: string): CidrRange {
  return create(CidrRangeSchema, { addressPrefix: address, prefixLen: familyOf(address) === 'ipv4' ? 32 : 128 })
}

export function range(addressPrefix: string, prefixLen: number): CidrRange {
  return create(CidrRangeSchema, { addressPrefix, prefixLen })
}

/** As in a URI (RFC 3986, section 3.2.2): IPv6 in brackets. */
export const inBrackets = (address: string): string => (familyOf(address) === 'ipv4' ? address : `[${address}]`)
