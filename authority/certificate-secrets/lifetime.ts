import { ACCOUNT_ANNOTATIONS } from '../../shared/certificate-secrets/index.ts'
import { formatDuration } from '../../shared/duration/index.ts'
import { BACKDATED_MS, type Lifetimes } from '../issuance/index.ts'
import type { Content, Limits, Note } from './types.ts'

/** The limits as issuance has them. */
export function lifetimesOf({ standardMs, shortestMs, longestMs }: Limits): Lifetimes {
  return { defaultMs: standardMs, maximumMs: longestMs, minimumMs: shortestMs }
}

/** A wish as far as the limits let it be, with word of where they did not. */
export function clampedLifetime(
  askedMs: number,
  { shortestMs, longestMs }: Limits
): { readonly lifetimeMs: number; readonly notes: readonly Note[] } {
  const lifetimeMs = Math.max(shortestMs, Math.min(askedMs, longestMs))
  if (lifetimeMs === askedMs) return { lifetimeMs, notes: [] }
  const limit = `${askedMs < shortestMs ? 'shortest' : 'longest'} that the authority allows is`
  const message = `${ANNOTATION} asks for ${formatDuration(askedMs)}: the ${limit} ${formatDuration(lifetimeMs)}, which holds`
  return { lifetimeMs, notes: [{ reason: 'LifetimeClamped', message }] }
}

const [ANNOTATION = ''] = [...ACCOUNT_ANNOTATIONS].find(([, { wish }]) => wish === 'lifetimeMs') ?? []

// Of its life: how much of that backdating is at most, where an issuer had only just begun.
const MOST_BACKDATED = 2 / 3

/** When a certificate was issued, as far as it tells: it begins earlier than that, except where its issuer does not. */
export function issuedAt({ notBefore, notAfter }: Pick<Content, 'notBefore' | 'notAfter'>): number {
  return notBefore + Math.min(BACKDATED_MS, (notAfter - notBefore) * MOST_BACKDATED)
}
