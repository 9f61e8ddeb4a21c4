import { runMain } from '../shared/config/index.ts'
import { startNode } from './app.ts'
import { OPTIONS } from './options.ts'

await runMain(
  'node',
  'Serves the kubelet of one node its CSI volumes, and captures the traffic of pods. Holds no key.',
  OPTIONS,
  startNode
)
