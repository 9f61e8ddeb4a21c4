import { type CodePoints, percentEncoded } from './percent-encoded.ts'

/** A spelling that no client needs, and that applications may read as another path. */
export interface UnusualSpelling {
  /** What it has, for a message: "paths with … are always protected". */
  readonly has: string
  /** Matches it anywhere in a path, without regard to the case of letters; RE2 and JavaScript alike. */
  readonly expression: string
}

/**
 * Characters outside ASCII that applications may read as characters within it, or not see at all: those whose
 * compatibility form (NFKC), case folding, upper or lower case has ASCII in it; blanks, controls and characters without
 * a form of their own; and lookalikes of slash, backslash and dot. Ranges are wider where what is between are symbols.
 */
const READ_AS_ASCII: readonly CodePoints[] = [
  // Latin: controls and punctuation of Latin-1, and letters that fold or decompose to ASCII, such as ß, ı and ſ.
  ...single(0xdf, 0x149, 0x17f),
  ...([
    [0x80, 0xbf],
    [0x130, 0x133],
    [0x13f, 0x140],
    [0x1c4, 0x1cc],
    [0x1f0, 0x1f3],
    [0x1e96, 0x1e9e]
  ] as const),
  // Letters that modify others, and spacing forms of accents.
  ...([
    [0x2b0, 0x2b8],
    [0x2d8, 0x2e3],
    [0x1d2c, 0x1dbf],
    [0xa7f1, 0xa7f4],
    [0x10780, 0x107bf]
  ] as const),
  ...single(0x37a, 0x37e, 0x1fbd),
  ...([
    [0x384, 0x385],
    [0x1fbf, 0x1fc1],
    [0x1fcd, 0x1fcf],
    [0x1fdd, 0x1fdf],
    [0x1fed, 0x1fef],
    [0x1ffd, 0x1ffe]
  ] as const),
  // Characters of scripts that are not seen.
  ...single(0x34f, 0x61c, 0x6dd, 0x70f, 0x8e2, 0x1680, 0x3164, 0x110bd, 0x110cd),
  ...([
    [0x600, 0x605],
    [0x890, 0x891],
    [0x115f, 0x1160],
    [0x17b4, 0x17b5],
    [0x180b, 0x180f]
  ] as const),
  ...([
    [0x13430, 0x1343f],
    [0x1bca0, 0x1bca3],
    [0x1d173, 0x1d17a],
    [0xe0000, 0xe0fff]
  ] as const),
  // Punctuation, blanks, letters as symbols, numbers, operators and other symbols.
  ...([
    [0x2000, 0x2bff],
    [0x2c7c, 0x2c7d],
    [0x1ccd6, 0x1ccf9],
    [0x1d400, 0x1d7ff],
    [0x1f100, 0x1f1ff]
  ] as const),
  ...([[0x1fbf0, 0x1fbf9]] as const),
  // Chinese and Japanese: blank, comma, full stop, voice marks, and letters in circles and squares.
  ...([
    [0x3000, 0x3002],
    [0x309b, 0x309c],
    [0x3200, 0x33ff]
  ] as const),
  // Presentation forms, wide forms, and special characters.
  [0xfb00, 0xffff]
]

function single(...codePoints: readonly number[]): readonly CodePoints[] {
  return codePoints.map(codePoint => [codePoint, codePoint])
}

/** In the order in which they are looked for. */
export const UNUSUAL_SPELLINGS: readonly UnusualSpelling[] = [
  { has: '//', expression: '//' },
  { has: 'a segment . or ..', expression: '/\\.{1,2}(?:/|$)' },
  { has: 'a backslash', expression: '\\\\' },
  { has: 'a semicolon', expression: ';' },
  {
    has: 'a percent-encoded letter, digit, - . _ or ~: write the character itself',
    expression: '%(?:2[de]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f|7e)'
  },
  { has: 'a percent-encoded separator or percent sign', expression: '%(?:2f|5c|3b|25|3f|23)' },
  { has: 'a percent-encoded control character', expression: '%(?:[01][0-9a-f]|7f)' },
  { has: 'a percent-encoded blank at the beginning or end of a segment', expression: '(?:/%20|%20(?:/|$))' },
  { has: 'a percent sign without two hexadecimal digits', expression: '%(?:$|[^0-9a-f]|[0-9a-f](?:$|[^0-9a-f]))' },
  { has: 'UTF-8 that is longer than it need be', expression: '%(?:c[01]|e0%[89][0-9a-f]|f0%8[0-9a-f])' },
  {
    has: 'a percent-encoded character that may be read as ASCII or not be seen, such as a wide or presentation form',
    expression: percentEncoded(READ_AS_ASCII)
  },
  // Without regard to case, s and k would stand for ſ and the Kelvin sign.
  { has: 'a character outside ASCII that is not percent-encoded', expression: '(?-i:[^ -~])' }
]

/**
 * Matches a whole path whose percent-encoded bytes are UTF-8 (RFC 3629, section 4), without regard to the case of
 * letters. What applications make of other bytes differs: they replace them, leave them out, or read them as Latin-1.
 */
export const UTF8_PATH = `(?:[^%?#]|%[0-7][0-9a-f]|${percentEncoded([
  [0x80, 0xd7ff],
  [0xe000, 0x10ffff]
])})*`
