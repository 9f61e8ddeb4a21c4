import { create } from '@bufbuild/protobuf'
import {
  type JwtRequirement,
  JwtRequirementSchema
} from '../../shared/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'

// Requirements of Envoy's filter for tokens (extensions/filters/http/jwt_authn/v3), put together.

/** No token is as good as a valid one. */
export const ALLOW_MISSING: JwtRequirement = create(JwtRequirementSchema, {
  requiresType: { case: 'allowMissing', value: {} }
})

/** A valid token of the provider of this name. */
export const tokenOf = (value: string): JwtRequirement =>
  create(JwtRequirementSchema, { requiresType: { case: 'providerName', value } })

/** Envoy wants at least two in a list. */
const combined =
  (how: 'requiresAny' | 'requiresAll') =>
  (requirements: readonly JwtRequirement[]): JwtRequirement => {
    const [only, another] = requirements
    if (only !== undefined && another === undefined) return only
    return create(JwtRequirementSchema, {
      requiresType: { case: how, value: { requirements: [...requirements] } }
    })
  }
export const anyOf = combined('requiresAny')
export const allOf = combined('requiresAll')
