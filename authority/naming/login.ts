import { create } from '@bufbuild/protobuf'
import type { EndUserAuthentication, Login as LoginPolicy } from '../../shared/policy/index.ts'
import { type Login, LoginSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { SelectedEndUserPolicies } from './end-user-policy.ts'
import type { Known, LoginEndpoints } from './known.ts'
import type { KeySetNames } from './mesh-message.ts'
import type { ProblemList } from './problem.ts'

/** What the issuer of a policy says of signing in, if it was asked. */
export type Discovered = (policy: EndUserAuthentication) => LoginEndpoints | undefined

export const discoveredBy =
  (known: Known, keySetName: KeySetNames): Discovered =>
  ({ source }) => {
    const discovered = known.keys.get(keySetName(source))?.discovered
    return discovered !== undefined && 'endpoints' in discovered ? discovered.endpoints : undefined
  }

/** What the policy says of endpoints goes before what its issuer says. Without endpoints nobody is sent anywhere. */
export function loginMessage(
  { namespace, name }: EndUserAuthentication,
  login: LoginPolicy,
  discovered: LoginEndpoints | undefined
): Login {
  return create(LoginSchema, {
    clientId: login.clientId,
    secret: `${namespace}/${name}`,
    scopes: [...login.scopes],
    redirectPath: login.redirectPath,
    signOutPath: login.signOutPath,
    authorizationEndpoint: login.authorizationEndpoint ?? discovered?.authorization ?? '',
    tokenEndpoint: login.tokenEndpoint ?? discovered?.token ?? '',
    endSessionEndpoint: login.endSessionEndpoint ?? discovered?.endSession ?? '',
    forwardTokens: login.forwardTokens
  })
}

/** The one policy whose login the proxy of a workload does: the oldest that has one. */
export const loginOf = ({ required }: SelectedEndUserPolicies): EndUserAuthentication | undefined =>
  required.find(({ login }) => login !== undefined)

const subject = ({ namespace, name }: EndUserAuthentication): string => `EndUserAuthentication ${namespace}/${name}`

/** Tells of logins that have no effect for a workload. It is told of both policies, and so once for all replicas. */
export function reportIgnoredLogins(policies: SelectedEndUserPolicies, problems: ProblemList): void {
  const first = loginOf(policies)
  if (first === undefined) return
  for (const policy of policies.required)
    if (policy !== first && policy.login !== undefined)
      problems.add(
        'login-ignored',
        subject(policy),
        `its login has no effect for pods that ${subject(first)} selects as well: a proxy does one, that of the oldest policy`
      )
}

/**
 * Tells why nobody can sign in for a policy. What is still being found out is no problem, and that there are no keys
 * is told elsewhere.
 */
export function reportLogins(
  policies: readonly EndUserAuthentication[],
  known: Known,
  keySetName: KeySetNames,
  problems: ProblemList
): void {
  for (const policy of policies.filter(({ login }) => login !== undefined)) {
    const report = (why: string): void =>
      problems.add('login-unavailable', subject(policy), `nobody can sign in: ${why}`)
    const { condition } = known.loginSecrets.get(`${policy.namespace}/${policy.name}`) ?? {}
    if (condition?.status === 'missing') report(condition.message)
    const discovered = known.keys.get(keySetName(policy.source))?.discovered
    if (policy.login?.authorizationEndpoint === undefined && discovered !== undefined && 'problem' in discovered)
      report(discovered.problem)
  }
}
