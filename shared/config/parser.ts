import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseTrustDomain, type TrustDomain } from '../identity/index.ts'

/** Turns what a user wrote into a value. */
export interface Parser<T> {
  /** What the value is called in the help: `host:port`. */
  readonly placeholder: string
  /** What is allowed, so that it completes the sentence "expected …". */
  readonly allowed: string
  /** Every text that is allowed, where these can be listed; what is near one of them is suggested. */
  readonly words?: readonly string[]
  /** The flag alone, without a value, means `true`. */
  readonly flagAlone?: true
  /** The answer depends on the machine, not on the text alone. */
  readonly looksOutside?: true
  /** `undefined` when the text is not allowed. */
  parse(text: string): T | undefined
}

/** Any text but none. */
export function text(placeholder: string, allowed = 'some text', pattern = /^.+$/s): Parser<string> {
  return { placeholder, allowed, parse: text => (pattern.test(text) ? text : undefined) }
}

/** One of a closed list of words. */
export function oneOf<const T extends string>(values: readonly T[]): Parser<T> {
  return {
    placeholder: values.join('|'),
    allowed: `one of ${values.join(', ')}`,
    words: values,
    parse: text => values.find(value => value === text)
  }
}

/** `true` or `false`; the flag alone means true. */
export const boolean: Parser<boolean> = {
  placeholder: 'true|false',
  allowed: 'true or false',
  words: ['true', 'false'],
  flagAlone: true,
  parse: text => (text === 'true' ? true : text === 'false' ? false : undefined)
}

/** A whole number in decimal digits, both ends of the range included. */
export function integer(min: number, max: number, placeholder = 'number'): Parser<number> {
  return {
    placeholder,
    allowed: `a whole number from ${min} to ${max}`,
    parse(text) {
      const value = /^-?(0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : Number.NaN
      return value >= min && value <= max ? value : undefined
    }
  }
}

/** A path made absolute; nothing needs to be there yet. */
export const path: Parser<string> = {
  placeholder: 'path',
  allowed: 'a path',
  parse: text => (text === '' || text.includes('\0') ? undefined : resolve(text))
}

/** The path of a file, or of a directory, that exists when the program starts. */
export function existing(kind: 'file' | 'directory'): Parser<string> {
  return {
    placeholder: kind,
    allowed: `the path of a ${kind} that exists`,
    looksOutside: true,
    parse(text) {
      const absolute = path.parse(text)
      const found = absolute === undefined ? undefined : statSync(absolute, { throwIfNoEntry: false })
      return (kind === 'file' ? found?.isFile() : found?.isDirectory()) ? absolute : undefined
    }
  }
}

export const trustDomain: Parser<TrustDomain> = {
  placeholder: 'trust domain',
  allowed: '1 to 255 lower-case letters, digits, dots, dashes or underscores, without spiffe://',
  parse(text) {
    try {
      return parseTrustDomain(text)
    } catch {
      return undefined
    }
  }
}

/** Values separated by commas; blanks around them do not count. Empty text is the empty list. */
export function list<T>(item: Parser<T>): Parser<readonly T[]> {
  return {
    placeholder: `${item.placeholder},…`,
    allowed: `a list separated by commas, each ${item.allowed}`,
    parse(text) {
      if (text.trim() === '') return Object.freeze([])
      const values = text.split(',').map(part => item.parse(part.trim()))
      return values.some(value => value === undefined) ? undefined : Object.freeze(values as T[])
    }
  }
}
