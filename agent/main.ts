import { runMain } from '../shared/config/index.ts'
import { startAgent } from './app.ts'
import { OPTIONS } from './options.ts'

await runMain(
  'agent',
  'Serves the proxies of one node their certificates and their configuration, each over a socket of its own.',
  OPTIONS,
  startAgent
)
