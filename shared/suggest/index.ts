// What somebody probably meant: the nearest word to one that is not known.
//
// In: a word, the words that are allowed. Out: the nearest, or an addition to an error message.
// Never: corrects anything by itself.

export { didYouMean } from './nearest.ts'
