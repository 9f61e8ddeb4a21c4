import * as z from 'zod'
import { LABEL_KEY, LABEL_VALUE } from '../names/index.ts'
import type { Labels } from './types.ts'

const KEY_ALLOWED =
  'an optional DNS prefix and a slash, then at most 63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends'
const VALUE_ALLOWED =
  'a string of at most 63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends'

/** Ours among the annotations and labels of an object. */
const PREFIX = 'countersign.dev/'

const checkKeys = (labels: Labels, context: z.RefinementCtx<Labels>): void => {
  for (const key of Object.keys(labels))
    if (!LABEL_KEY.test(key))
      context.addIssue({
        code: 'custom',
        path: [key],
        message: `not allowed as a key: expected ${KEY_ALLOWED}`,
        params: { complete: true }
      })
}

/** Labels, absent ones as an empty record. */
export const labels = z
  .record(
    z.string(),
    z.string({ error: VALUE_ALLOWED }).refine(value => LABEL_VALUE.test(value), { error: VALUE_ALLOWED }),
    { error: 'a mapping of strings' }
  )
  .superRefine(checkKeys)
  .nullish()
  .transform(value => sorted(value ?? {}))

/** Annotations, reduced to those of Countersign. */
export const annotations = z
  .record(z.string(), z.string({ error: 'a string' }), { error: 'a mapping of strings' })
  .superRefine(checkKeys)
  .nullish()
  .transform(value => sorted(value ?? {}, PREFIX))

/** Whether `labels` has every pair of `selector`. An empty selector matches everything: callers decide before. */
export function matches(selector: Labels, candidate: Labels): boolean {
  for (const key in selector) if (candidate[key] !== selector[key]) return false
  return true
}

function sorted(record: Labels, prefix = ''): Labels {
  const entries = Object.entries(record).filter(([key]) => key.startsWith(prefix))
  return Object.freeze(Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))))
}
