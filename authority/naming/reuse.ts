import { type DescMessage, equals, type MessageShape } from '@bufbuild/protobuf'
import { type NamingProblem, ProblemList } from './problem.ts'

interface Making {
  readonly inputs: readonly unknown[]
  readonly problems: readonly NamingProblem[]
}

// How a message was made. A cache only: without it everything comes out the same, more slowly.
const makings = new WeakMap<object, Making>()

/**
 * The previous message, where it is still right: when it was made from identical inputs it is not even built again,
 * and when what was built is equal it is kept, so that it is not encoded again. The problems that were met when it
 * was built are added in each case.
 *
 * @param inputs everything that `build` looks at
 */
export function reuse<Schema extends DescMessage>(
  schema: Schema,
  previous: MessageShape<Schema> | undefined,
  inputs: readonly unknown[],
  problems: ProblemList,
  build: (problems: ProblemList) => MessageShape<Schema>
): MessageShape<Schema> {
  const known = previous === undefined ? undefined : makings.get(previous)
  if (previous !== undefined && known !== undefined && sameItems(known.inputs, inputs)) {
    problems.addAll(known.problems)
    return previous
  }
  const own = new ProblemList()
  const built = build(own)
  const message = previous !== undefined && equals(schema, previous, built) ? previous : built
  makings.set(message, { inputs, problems: own.all() })
  problems.addAll(own.all())
  return message
}

/** The previous map, when the next one has the same keys with the same values. */
export function reuseMap<T>(
  previous: ReadonlyMap<string, T> | undefined,
  next: ReadonlyMap<string, T>
): ReadonlyMap<string, T> {
  if (previous === undefined || previous.size !== next.size) return next
  for (const [key, value] of next) if (previous.get(key) !== value) return next
  return previous
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
