// A hostile pod: a member of the mesh with an identity of its own.

import { runAttacks } from './run-attacks.ts'

await runAttacks('hostile-pod')
