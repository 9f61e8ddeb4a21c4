// A compromised node: whoever has the credentials of a kubelet.

import { runAttacks } from './run-attacks.ts'

await runAttacks('compromised-node')
