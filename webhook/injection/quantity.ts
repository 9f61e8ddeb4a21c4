/** An amount of a resource as Kubernetes writes it. */
export interface Quantity {
  /** As it was written: what goes into the pod. */
  readonly text: string
  /** In billionths of the unit (a CPU, a byte), so that any two can be compared exactly. */
  readonly nano: bigint
}

const SCALE: Readonly<Record<string, bigint>> = {
  n: 1n,
  u: 10n ** 3n,
  m: 10n ** 6n,
  '': 10n ** 9n,
  k: 10n ** 12n,
  M: 10n ** 15n,
  G: 10n ** 18n,
  T: 10n ** 21n,
  Ki: 10n ** 9n * 2n ** 10n,
  Mi: 10n ** 9n * 2n ** 20n,
  Gi: 10n ** 9n * 2n ** 30n,
  Ti: 10n ** 9n * 2n ** 40n
}

const QUANTITY = /^(?<whole>[0-9]{1,18})(\.(?<fraction>[0-9]{1,9}))?(?<suffix>|n|u|m|k|M|G|T|Ki|Mi|Gi|Ti)$/

/**
 * Reads a quantity: digits, at most nine of a fraction, and a suffix. What a proxy could never mean is left out of the
 * grammar of Kubernetes: signs, exponents, peta and exa. `undefined` for anything else.
 *
 * Source: Kubernetes, apimachinery resource.Quantity.
 */
export function parseQuantity(text: string): Quantity | undefined {
  const { whole, fraction = '', suffix = '' } = QUANTITY.exec(text)?.groups ?? {}
  const scale = SCALE[suffix]
  if (whole === undefined || scale === undefined) return undefined
  // A remainder below one billionth is rounded up, as Kubernetes does: an amount is never taken for less than it is.
  const denominator = 10n ** BigInt(fraction.length)
  const nano = (BigInt(whole + fraction) * scale + denominator - 1n) / denominator
  return Object.freeze({ text, nano })
}

/** How many whole units it takes to hold the quantity, for example 1500m CPU: 2. */
export function wholeUnits({ nano }: Quantity): number {
  const unit = 10n ** 9n
  return Number((nano + unit - 1n) / unit)
}
