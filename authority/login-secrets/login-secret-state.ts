import type { Sensitive } from '../../shared/log/index.ts'
import type { LoginSecretValue } from './login-secret-value.ts'

/** What is known of the secret of one policy's login. */
export interface LoginSecretState {
  /** `<namespace>/<name>` of the policy. */
  readonly policy: string
  /** Undefined: there is none, and nobody signs in. The same object until it is another. */
  readonly secret: Sensitive<LoginSecretValue> | undefined
  readonly condition: LoginSecretCondition
}

export interface LoginSecretCondition {
  /** `waiting`: it is being read for the first time. */
  readonly status: 'ready' | 'missing' | 'waiting'
  /** For people: why it is missing. No secrets. */
  readonly message: string
}
