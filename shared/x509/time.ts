import { type Asn1, contentOf, isUniversal, MalformedError, timeText } from './asn1.ts'

const UTC_TIME = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/
const GENERALIZED_TIME = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/

/** Milliseconds since the epoch; UTCTime to 2049, GeneralizedTime from 2050 on (RFC 5280, section 4.1.2.5). */
export function encodeTime(milliseconds: number): Asn1 {
  const date = new Date(milliseconds)
  const year = date.getUTCFullYear()
  if (!(year >= 1950 && year <= 9999)) throw new TypeError(`time ${milliseconds} is outside the years 1950 to 9999`)
  const text = `${digitsOf(date)}Z`
  return year < 2050 ? timeText('utcTime', text.slice(2)) : timeText('generalizedTime', text)
}

/** @throws MalformedError for anything but the two forms that RFC 5280 allows: seconds present, Zulu, no fraction */
export function decodeTime(element: Asn1 | undefined, what: string): number {
  for (const [tag, form] of [
    ['utcTime', UTC_TIME],
    ['generalizedTime', GENERALIZED_TIME]
  ] as const) {
    if (!isUniversal(element, tag)) continue
    const text = contentOf(element).toString('latin1')
    const [year, ...rest] = (form.exec(text) ?? []).slice(1).map(Number)
    if (year === undefined) break
    const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = rest
    const date = new Date(0)
    date.setUTCFullYear(tag === 'utcTime' ? year + (year < 50 ? 2000 : 1900) : year, month - 1, day)
    date.setUTCHours(hour, minute, second)
    // 31 February rolls over into March: a date that is none does not come back as it was.
    if (!digitsOf(date).endsWith(text.slice(0, -1))) break
    return date.getTime()
  }
  throw new MalformedError(`expected ${what} to be a time in UTC with seconds`)
}

/** YYYYMMDDHHMMSS; the fraction of a second is cut off. */
function digitsOf(date: Date): string {
  return date.toISOString().slice(0, 19).replace(/[-T:]/g, '')
}
