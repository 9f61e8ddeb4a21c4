/**
 * The smallest of the values that at least `percent` of them do not exceed (nearest rank): always one that was
 * measured.
 *
 * @param percent - above 0, at most 100
 */
export function percentile(values: readonly number[], percent: number): number {
  if (!(percent > 0 && percent <= 100)) throw new TypeError(`percent is ${percent}: expected above 0, at most 100`)
  const sorted = values.toSorted((one, other) => one - other)
  const found = sorted[Math.ceil((percent / 100) * sorted.length) - 1]
  if (found === undefined) throw new TypeError('there is no percentile of no values')
  return found
}

/** The middle one of the values as they were measured: of an even number the lower of the two. */
export function median(values: readonly number[]): number {
  return percentile(values, 50)
}
