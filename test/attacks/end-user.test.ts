// A hostile end user, who reaches a port of a workload.

import { runAttacks } from './run-attacks.ts'

await runAttacks('end-user')
