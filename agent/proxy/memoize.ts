/**
 * The function, computed once for each input object. Results live as long as their input; inputs are immutable, so
 * nothing is ever stale.
 */
export function memoize<Input extends object, Output>(compute: (input: Input) => Output): (input: Input) => Output {
  const results = new WeakMap<Input, { readonly output: Output }>()
  return input => {
    let result = results.get(input)
    if (result === undefined) {
      result = { output: compute(input) }
      results.set(input, result)
    }
    return result.output
  }
}

/** The same for two objects. Results live as long as both. */
export function memoizePair<First extends object, Second extends object, Output>(
  compute: (first: First, second: Second) => Output
): (first: First, second: Second) => Output {
  const ofFirst = memoize((first: First) => memoize((second: Second) => compute(first, second)))
  return (first, second) => ofFirst(first)(second)
}

/** The same for an object and a string, for strings of which there are few: address families, namespaces. */
export function memoizeKeyed<Input extends object, Key extends string, Output>(
  compute: (input: Input, key: Key) => Output
): (input: Input, key: Key) => Output {
  const ofInput = memoize((_: Input) => new Map<Key, { readonly output: Output }>())
  return (input, key) => {
    const results = ofInput(input)
    let result = results.get(key)
    if (result === undefined) {
      result = { output: compute(input, key) }
      results.set(key, result)
    }
    return result.output
  }
}
