// A tenant, who may write pods, Services, EndpointSlices and policies in one namespace.

import { runAttacks } from './run-attacks.ts'

await runAttacks('tenant')
