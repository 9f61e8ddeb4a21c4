import { escapedText } from './path-patterns.ts'

// Applications that learn of headers as of variables (RFC 3875, section 4.1.18: CGI, WSGI and their kin) cannot tell a
// dash from an underscore. Envoy knows names in lower case.

/** Matches a header's name in every spelling that such an application takes for it. */
export const likeHeader = (name: string): string => parts(name).join('[-_]')

/** Match, together, each of these spellings but the right one; none where there is no other. */
export function misspelledHeader(name: string): readonly string[] {
  const [separators, texts] = [name.match(/[-_]/g) ?? [], parts(name)]
  return separators.map((separator, wrong) =>
    texts
      .map((text, index) => (index === 0 ? text : `${separatorAt(index - 1, wrong, separator, separators)}${text}`))
      .join('')
  )
}

/** A CEL expression: the request has a header with one of these names, in any spelling; an empty one counts. */
export const hasAnyHeader = (names: readonly string[]): string =>
  names
    .flatMap(withUnderscores)
    .map(name => `'${name}' in request.headers`)
    .join(' || ')

/** A name with each of its dashes as it is and as an underscore. */
function withUnderscores(name: string): readonly string[] {
  const [first = '', ...rest] = name.split('-')
  return rest.reduce((spellings, part) => spellings.flatMap(text => [`${text}-${part}`, `${text}_${part}`]), [first])
}

/** Right up to the one that is wrong, and anything after that. */
const separatorAt = (index: number, wrong: number, separator: string, separators: readonly string[]): string =>
  index < wrong ? (separators[index] ?? '') : index === wrong ? (separator === '-' ? '_' : '-') : '[-_]'

const parts = (name: string): readonly string[] => name.toLowerCase().split(/[-_]/).map(escapedText)
