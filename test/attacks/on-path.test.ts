// An attacker on the path between two pods.

import { runAttacks } from './run-attacks.ts'

await runAttacks('on-path')
