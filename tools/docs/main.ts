// `npm run docs`: writes the pages under docs/ that are made from the code.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorsPage } from './errors.ts'

const docs = join(import.meta.dirname, '../../docs')
writeFileSync(join(docs, 'errors.md'), errorsPage())
console.log('docs/errors.md written')
