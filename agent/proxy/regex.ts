/** An expression (RE2) that a whole text is matched with; one of those that are written here, and known to be small. */
export const smallRegex = (expression: string) => ({ case: 'safeRegex', value: { regex: expression } }) as const

/**
 * The same for an expression of any size. Envoy's own limit, an RE2 program of 100 instructions, would refuse a policy
 * with one long path, and the pod would go on without it. How large a program can be is decided where policies are
 * judged. The field is deprecated in favour of the bootstrap, but proxies that run already have theirs; Envoy remarks
 * on it, so it is left out where it is not needed.
 */
export const regex = (expression: string) =>
  instructions(expression) <= MOST_BY_DEFAULT
    ? smallRegex(expression)
    : ({
        case: 'safeRegex',
        value: { regex: expression, engineType: { case: 'googleRe2', value: { maxProgramSize: LARGE } } }
      } as const)

const MOST_BY_DEFAULT = 100
const LARGE = 1_000_000

/** More than there will be: one for each character, and a dozen where any character of UTF-8 may stand. */
const instructions = (expression: string): number =>
  expression.length + 14 * (expression.match(/\[\^|\./g) ?? []).length
