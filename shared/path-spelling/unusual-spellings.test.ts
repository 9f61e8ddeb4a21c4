import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { UNUSUAL_SPELLINGS, UTF8_PATH } from './index.ts'

const unusual = UNUSUAL_SPELLINGS.map(({ expression }) => new RegExp(expression, 'iu'))
const isUnusual = (path: string): boolean => unusual.some(expression => expression.test(path))

const CODE_POINTS = Array.from({ length: 0x110000 - 0x80 }, (_, index) => index + 0x80)
const CHARACTERS = CODE_POINTS.filter(code => code < 0xd800 || code > 0xdfff).map(code => String.fromCodePoint(code))

/** What an application may compare instead of a character: its compatibility form, in any case. */
function formsOf(character: string): readonly string[] {
  const forms = [character, character.normalize('NFKC')]
  const cases = forms.flatMap(form => [form.toLowerCase(), form.toUpperCase(), form.toUpperCase().toLowerCase()])
  return [...forms, ...cases].map(form => form.normalize('NFKC'))
}
const NOT_SEEN = /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Z}]/u
const mayBeAscii = (character: string): boolean =>
  NOT_SEEN.test(character) || formsOf(character).some(form => /[\0-\x7f]/.test(form))

const described = (characters: readonly string[]): readonly string[] =>
  characters.map(character => `U+${character.codePointAt(0)?.toString(16)}`)

describe('a character that may be read as ASCII, or not be seen', () => {
  const all = CHARACTERS.filter(mayBeAscii)

  it('is unusual, percent-encoded in either case and raw', t => {
    assert.ok(all.length > 5_000, String(all.length))
    const encoded = (character: string): string => encodeURIComponent(character)
    assert.deepEqual(described(all.filter(character => !isUnusual(`/a${encoded(character)}b`))), [])
    assert.deepEqual(described(all.filter(character => !isUnusual(`/a${encoded(character).toLowerCase()}`))), [])
    assert.deepEqual(described(all.filter(character => !isUnusual(`/${character}`))), [])
    t.diagnostic(`${all.length} characters, each in 3 spellings`)
  })

  it('is one of those that the ranges were made for', () => {
    const examples = [0x17f, 0x212a, 0x131, 0x130, 0xdf, 0xfb01, 0xff0e, 0xff0f, 0x2024, 0x2025, 0x2026, 0xaa, 0xb2]
      .concat([0x24d0, 0x1d41a, 0x338f, 0x37e, 0x1fef, 0x200b, 0xfeff, 0x85, 0x3000])
      .map(code => String.fromCodePoint(code))
    assert.deepEqual(
      examples.filter(character => !all.includes(character)),
      []
    )
    for (const lookalike of [0x2044, 0x2215, 0x2216, 0x29f8, 0x3002, 0x2212, 0x2010].map(code =>
      String.fromCodePoint(code)
    ))
      assert.ok(isUnusual(`/${encodeURIComponent(lookalike)}`), lookalike)
  })
})

describe('a path', () => {
  const USUAL = [
    ...['café', 'naïve', 'señor', 'São', 'Øre', 'łódź', 'ğ', 'Việt', 'Ελληνικά', 'русский', 'עברית', 'العربية'],
    ...['हिन्दी', 'ไทย', '한국어', '日本語', 'カタカナ', '中文', 'ʻokina', 'ქართული', 'አማርኛ', '😀', '𠀋']
  ]
  for (const text of USUAL)
    it(`may hold ${text}`, () => {
      assert.ok(!isUnusual(`/${encodeURIComponent(text.normalize('NFC'))}/x`))
      assert.ok(!isUnusual(`/${encodeURIComponent(text.normalize('NFD'))}/x`))
    })

  it('may hold almost every letter that is no form of another', t => {
    const letters = CHARACTERS.filter(character => /\p{L}/u.test(character) && !mayBeAscii(character))
    const lost = letters.filter(
      character => character.normalize('NFKC') === character && isUnusual(`/${encodeURIComponent(character)}`)
    )
    assert.ok(lost.length < 120, described(lost).join(' '))
    t.diagnostic(`${lost.length} of ${letters.length} letters are unusual beside those that may be read as ASCII`)
  })
})

describe('percent-encoded bytes', () => {
  const whole = new RegExp(`^${UTF8_PATH}$`, 'iu')
  const spelled = (...bytes: readonly number[]): string =>
    bytes.map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('')
  const fatal = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const isUtf8 = (bytes: readonly number[]): boolean => {
    try {
      fatal.decode(Uint8Array.from(bytes))
      return true
    } catch {
      return false
    }
  }

  it('are UTF-8 exactly where a decoder says so', t => {
    const edges = [0x00, 0x2f, 0x61, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1]
    const more = [0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff]
    let count = 0
    const check = (...bytes: readonly number[]): void => {
      count++
      assert.equal(whole.test(`/a${spelled(...bytes)}b`), isUtf8(bytes), spelled(...bytes))
    }
    for (let byte = 0; byte < 0x100; byte++) check(byte)
    const all = [...edges, ...more]
    for (const one of all)
      for (const two of all) {
        check(one, two)
        for (const three of all) {
          check(one, two, three)
          for (const four of [0x7f, 0x80, 0xbf, 0xc2]) check(one, two, three, four)
        }
      }
    t.diagnostic(`${count} sequences of bytes`)
  })

  it('are UTF-8 where they encode a character', () => {
    for (const character of CHARACTERS) assert.ok(whole.test(`/${encodeURIComponent(character)}`), character)
  })
})
