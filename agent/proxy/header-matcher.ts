import { create } from '@bufbuild/protobuf'
import {
  type HeaderMatcher,
  HeaderMatcherSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { regex } from './regex.ts'

/**
 * Matches a request by the whole value of a header, with an expression (RE2). A header that is absent counts as empty,
 * so that an inverted matcher matches without it.
 */
export const headerMatcher = (name: string, expression: string, { invert = false } = {}): HeaderMatcher =>
  create(HeaderMatcherSchema, {
    name,
    invertMatch: invert,
    treatMissingHeaderAsEmpty: true,
    headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: regex(expression) } }
  })
