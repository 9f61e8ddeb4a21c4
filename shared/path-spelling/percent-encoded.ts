/** From the first to the last code point. */
export type CodePoints = readonly [number, number]

/** An expression, for `(?i)`, that matches the percent-encoded UTF-8 of every character of these ranges. */
export const percentEncoded = (ranges: readonly CodePoints[]): string =>
  anyOf(ranges.flatMap(([first, last]) => sameLength(first, last).map(([from, to]) => bytes(utf8(from), utf8(to)))))

/** Splits a range where the number of bytes changes (RFC 3629, section 3). */
const sameLength = (first: number, last: number): readonly CodePoints[] =>
  [
    [0x80, 0x7ff],
    [0x800, 0xffff],
    [0x10000, 0x10ffff]
  ].flatMap(([from = 0, to = 0]) =>
    first > to || last < from ? [] : [[Math.max(first, from), Math.min(last, to)] as const]
  )

const utf8 = (codePoint: number): readonly number[] => [...Buffer.from(String.fromCodePoint(codePoint))]

const CONTINUATION = '%[89ab][0-9a-f]'

/** Sequences of bytes from one to another of the same length, in the order of code points. */
function bytes([from = 0, ...fromRest]: readonly number[], [to = 0, ...toRest]: readonly number[]): string {
  const [isFirst, isLast] = [fromRest.every(each => each === 0x80), toRest.every(each => each === 0xbf)]
  const whole = (first: number, last: number): string => byte(first, last) + CONTINUATION.repeat(fromRest.length)
  if (isFirst && isLast) return whole(from, to)
  if (from === to) return byte(from, from) + bytes(fromRest, toRest)
  const [first, last] = [isFirst ? from : from + 1, isLast ? to : to - 1]
  const lowest = fromRest.map(() => 0x80)
  const highest = fromRest.map(() => 0xbf)
  return anyOf([
    ...(isFirst ? [] : [byte(from, from) + bytes(fromRest, highest)]),
    ...(first > last ? [] : [whole(first, last)]),
    ...(isLast ? [] : [byte(to, to) + bytes(lowest, toRest)])
  ])
}

/** One percent-encoded byte of a range; bytes of which every last digit is meant are one alternative. */
function byte(from: number, to: number): string {
  const rows = Array.from({ length: (to >> 4) - (from >> 4) + 1 }, (_, index) => (from >> 4) + index)
  const digits = (row: number): string =>
    HEX.slice(row === from >> 4 ? from & 15 : 0, 1 + (row === to >> 4 ? to & 15 : 15))
  const whole = rows.filter(row => digits(row) === HEX).map(row => HEX.charAt(row))
  return `%${anyOf([
    ...rows.filter(row => digits(row) !== HEX).map(row => HEX.charAt(row) + oneOf(digits(row))),
    ...(whole.length === 0 ? [] : [`${oneOf(whole.join(''))}[0-9a-f]`])
  ])}`
}

const HEX = '0123456789abcdef'

const oneOf = (digits: string): string => (digits.length === 1 ? digits : `[${digits}]`)
const anyOf = (expressions: readonly string[]): string =>
  expressions.length === 1 ? expressions.join('') : `(?:${expressions.join('|')})`
