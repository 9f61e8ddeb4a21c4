// Spellings of paths that applications read as another path than the one that is written.
//
// In: nothing. Out: a table of expressions (RE2 and JavaScript alike), each with what it matches.
// Never: decides about a request; never reads a file, a clock or a socket.
// Source: RFC 3986, sections 2.2, 2.3 and 6.2; WHATWG URL, section 4.4; RFC 3629; Unicode Standard Annex 15.

export { UNUSUAL_SPELLINGS, type UnusualSpelling, UTF8_PATH } from './unusual-spellings.ts'
