import type { Clock } from '../../shared/clock/index.ts'
import { COLLECTIONS, collectionPath, type KubeClient, type KubeObject, objectPath } from '../../shared/kube/index.ts'
import type { Entry } from './ledger.ts'
import { change, creation, type IssuedContent, issueContent } from './new-secret.ts'
import { type Refusal, refusalOf } from './refusal.ts'
import type { Judgement, Limits } from './types.ts'

export type Write = Extract<Judgement, { readonly kind: 'write' }>

/** What became of an attempt to write the Secret of an account. */
export type Outcome =
  | { readonly kind: 'written'; readonly object: KubeObject; readonly certificate?: IssuedContent['certificate'] }
  /** It is not to be written any more, or no longer by this replica. */
  | { readonly kind: 'given-up' }
  | Refusal

const FIELD_MANAGER = 'countersign-authority'

/**
 * Makes a certificate, waits for its turn, and writes it where there is still what was judged. The key is nowhere else.
 *
 * @param turn resolves when it is time to write: whether to do it at all
 */
export async function writeSecret(
  { account, secret, trust }: Entry,
  { reason, wanted }: Write,
  tools: {
    readonly client: Pick<KubeClient, 'create' | 'mergePatch'>
    readonly clock: Clock
    readonly limits: Limits
    readonly turn: () => Promise<boolean>
    readonly signal: AbortSignal
  }
): Promise<Outcome> {
  const { client, clock, limits, turn, signal } = tools
  const verb = secret === undefined ? 'create' : 'patch'
  try {
    const issued =
      reason === 'owner' && secret !== undefined ? undefined : await issueContent(wanted, trust, limits, clock.now())
    if (!(await turn())) return { kind: 'given-up' }
    const certificate = issued === undefined ? {} : { certificate: issued.certificate }
    const object = await send()
    return { kind: 'written', object, ...certificate }

    function send(): Promise<KubeObject> {
      const { secrets } = COLLECTIONS
      if (secret !== undefined)
        return client.mergePatch(
          objectPath(secrets, secret.name, account.namespace),
          change(account, secret, issued),
          FIELD_MANAGER,
          signal
        )
      if (issued === undefined) throw new TypeError('expected a certificate for a new Secret')
      return client.create(collectionPath(secrets, account.namespace), creation(account, issued), FIELD_MANAGER, signal)
    }
  } catch (thrown) {
    return signal.aborted ? { kind: 'given-up' } : refusalOf(thrown, verb)
  }
}
