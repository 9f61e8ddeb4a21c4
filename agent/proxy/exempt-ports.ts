import type { HeaderMatcher } from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { headerMatcher } from './header-matcher.ts'
import { LOCAL_PORT_HEADER } from './local-port.ts'

/**
 * Matches requests to every port but these; also a request of which the port is not known. No matcher where there are
 * none.
 */
export const besidePorts = (ports: readonly number[]): readonly HeaderMatcher[] =>
  ports.length === 0 ? [] : [headerMatcher(LOCAL_PORT_HEADER, anyOf(ports), { invert: true })]

/** Matches requests to one of these ports. No matcher where there are none. */
export const onPorts = (ports: readonly number[]): readonly HeaderMatcher[] =>
  ports.length === 0 ? [] : [headerMatcher(LOCAL_PORT_HEADER, anyOf(ports))]

const anyOf = (ports: readonly number[]): string => `(?:${ports.join('|')})`
