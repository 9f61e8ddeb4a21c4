// `npm run docs`: writes the pages under docs/ that are made from the code.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { annotationsPage } from './annotations.ts'
import { errorsPage } from './errors.ts'

const docs = join(import.meta.dirname, '../../docs')
const PAGES = { 'annotations.md': annotationsPage, 'errors.md': errorsPage }
for (const [name, page] of Object.entries(PAGES)) {
  writeFileSync(join(docs, name), page())
  console.log(`docs/${name} written`)
}
