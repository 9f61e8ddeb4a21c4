import { CATALOGUE } from '../../shared/errors/index.ts'

/** docs/errors.md, made from the catalogue. */
export function errorsPage(): string {
  const rows = Object.entries(CATALOGUE).map(([code, { meaning, next }]) => `| \`${code}\` | ${meaning} | ${next} |`)
  return `# Errors

Every error of Countersign has a code, which stays as it is; messages are for people and may change. Logs show the code as \`err.code\`, together with the facts of the case. Made by \`npm run docs\`.

| code | what it means | what to do |
| --- | --- | --- |
${rows.join('\n')}
`
}
