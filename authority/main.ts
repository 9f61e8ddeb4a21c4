import { runMain } from '../shared/config/index.ts'
import { startAuthority } from './app.ts'
import { OPTIONS } from './options.ts'

await runMain(
  'authority',
  'Issues the certificates of the mesh and tells agents which service account runs which service.',
  OPTIONS,
  startAuthority
)
