import { z } from 'zod'
import { didYouMean } from '../suggest/index.ts'
import { UNKNOWN_FIELD } from './issue.ts'

// Pieces of schemas whose messages say the value and what is allowed. zod's own sentences never reach a user.

type Shape = Readonly<Record<string, z.ZodType>>

/**
 * An object in which a field that is not named is an error of its own, with the name that was probably meant.
 *
 * @param absent fields that others know and this one does not, each with the reason
 * @param secret what is expected, where what stands in place of the object may be secret and is not shown
 */
export function strictObject<const S extends Shape>(
  shape: S,
  absent: Readonly<Record<string, string>> = {},
  secret?: string
): z.ZodObject<S, z.core.$catchall<z.ZodUnknown>> {
  const allowed = Object.keys(shape)
  const unknownField = z.unknown().refine(() => false, {
    params: { [UNKNOWN_FIELD]: true },
    error: issue => {
      const field = String(issue.path?.at(-1))
      if (Object.hasOwn(absent, field)) return absent[field]
      return `unknown field${didYouMean(camelCase(field), allowed)}; allowed fields: ${allowed.join(', ')}`
    }
  })
  const error =
    secret === undefined
      ? expected('an object')
      : ({ input }: { readonly input?: unknown }): string =>
          `${input === undefined ? 'required: ' : ''}expected ${secret}`
  return z.object(shape, { error }).catchall(unknownField)
}

/** Istio reads fields in the spelling of protobuf as well: `jwt_rules`. */
const camelCase = (field: string): string => field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** An object of which only some fields are read. */
export function openObject<const S extends Shape>(shape: S): z.ZodObject<S, z.core.$loose> {
  return z.looseObject(shape, { error: expected('an object') })
}

export function oneOf<const T extends string>(values: readonly T[]): z.ZodType<T> {
  return z.enum(values, {
    error: ({ input }) =>
      `${expected(`one of ${values.join(', ')}`)({ input })}${typeof input === 'string' ? didYouMean(input, values) : ''}`
  })
}

export function text(pattern: RegExp, allowed: string): z.ZodType<string> {
  return z.string({ error: expected(allowed) }).regex(pattern, { error: expected(allowed) })
}

/** A list of at most so many; `what` names one entry, and `least` of them must be there. */
export function list<V extends z.ZodType>(value: V, what: string, most: number, least = 0): z.ZodArray<V> {
  return z
    .array(value, { error: expected('a list') })
    .min(least, { error: `expected at least one ${what}, got []; leave the field out` })
    .max(most, {
      error: ({ input }) => `expected at most ${most} entries, got ${(input as readonly unknown[]).length}`
    })
}

export function flag(): z.ZodType<boolean> {
  return z.boolean({ error: expected('true or false') })
}

/**
 * Text that `problem` finds nothing wrong with; its answer is the message, and need not show the text. What is there
 * instead of text is shown unless it is secret.
 */
export function textWithout(
  problem: (text: string) => string | undefined,
  allowed: string,
  secret = false
): z.ZodType<string> {
  return z.string({ error: secret ? `expected ${allowed}` : expected(allowed) }).superRefine((text, context) => {
    const message = problem(text)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
}

/** Whether it can be looked into; for checks that go beside those of single fields, and so see whatever was written. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A map; `what` names the map, `allowedKeys` its keys. */
export function map<V extends z.ZodType>(
  what: string,
  key: RegExp | ((key: string) => boolean),
  allowedKeys: string,
  value: V
): z.ZodRecord<z.ZodString, V> {
  const accepts = key instanceof RegExp ? (text: string) => key.test(text) : key
  return z.record(z.string().refine(accepts), value, {
    error: issue =>
      issue.code === 'invalid_key' ? `not allowed as a key: expected ${allowedKeys}` : expected(what)(issue)
  })
}

/** `expected …, got …`, or `required: expected …` for what is absent. */
export function expected(what: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => (input === undefined ? `required: expected ${what}` : `expected ${what}, got ${show(input)}`)
}

const LONGEST_SHOWN = 100

/** A value as JSON, shortened: what a user wrote, recognisable and never a page long. */
export function show(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value)
  return json.length > LONGEST_SHOWN ? `${json.slice(0, LONGEST_SHOWN)}…` : json
}
