/** Of one root, what the plan depends on. Times are milliseconds since the epoch, as everywhere here. */
export interface RootTimes {
  readonly createdAt: number
  readonly notAfter: number
}

/** Of the certificate in use. */
export interface ServingTimes<Root> {
  readonly createdAt: number
  readonly notAfter: number
  readonly signer: Root
}

export interface State<Root extends RootTimes> {
  /** Every root that is published, oldest first. */
  readonly roots: readonly Root[]
  readonly serving: ServingTimes<Root> | undefined
}

export interface Plan<Root> {
  /** Roots that stay published. */
  readonly keep: readonly Root[]
  /** A new root is to be made and published. If no root can sign, it signs at once. */
  readonly makeRoot: boolean
  /** Who signs from now on; undefined: the root that is to be made. */
  readonly signer: Root | undefined
  /** A new certificate is to be made. */
  readonly makeServing: boolean
}

// A root lives for as long as so many certificates after one another.
const LIVES_OF_A_ROOT = 30

// RFC 5280 knows no renewal; two thirds leave a third of the life for whatever prevents it.
const RENEW_AT = 2 / 3

/** How long roots live, where certificates live for `lifetimeMs`. */
export const rootLifetime = (lifetimeMs: number): number => LIVES_OF_A_ROOT * lifetimeMs

/**
 * What is to be done now. A root that was made signs nothing until it has been published for the life of one
 * certificate: that long, clients that still know only the old root are served with certificates of the old root.
 */
export function planCertificates<Root extends RootTimes>(
  state: State<Root>,
  now: number,
  lifetimeMs: number
): Plan<Root> {
  const usable = state.roots.filter(root => root.notAfter > now)
  const known = usable.filter(root => root.createdAt + lifetimeMs <= now)
  const signer = known.at(-1) ?? usable[0]
  const newest = usable.at(-1)
  const { serving } = state
  return {
    keep: usable.slice(firstNeeded(usable, signer, now, lifetimeMs)),
    makeRoot: newest === undefined || renewalTime(newest) <= now,
    signer,
    makeServing: serving === undefined || serving.signer !== signer || renewalTime(serving) <= now
  }
}

/**
 * A root that signs no more is trusted for as long as something that it signed may be in use: its successor took over
 * one life after it was made, and what was signed until then lives no longer than one more. Another process that has
 * the same roots may be that late.
 */
function firstNeeded<Root extends RootTimes>(
  usable: readonly Root[],
  signer: Root | undefined,
  now: number,
  lifetimeMs: number
): number {
  if (signer === undefined) return usable.length
  const index = usable.indexOf(signer)
  return index > 0 && now < signer.createdAt + 2 * lifetimeMs ? index - 1 : index
}

/** When there is next something to do; in the past when something is due. */
export function nextWakeUp<Root extends RootTimes>({ serving, roots }: State<Root>, lifetimeMs: number): number {
  const newest = roots.at(-1)
  return Math.min(
    serving === undefined ? 0 : renewalTime(serving),
    newest === undefined ? 0 : renewalTime(newest),
    newest === undefined || roots.length === 1
      ? Number.POSITIVE_INFINITY
      : // First it takes over, then the one before it is trusted no more.
        newest.createdAt + (serving?.signer === newest ? 2 : 1) * lifetimeMs
  )
}

const renewalTime = ({ createdAt, notAfter }: { readonly createdAt: number; readonly notAfter: number }): number =>
  createdAt + (notAfter - createdAt) * RENEW_AT
