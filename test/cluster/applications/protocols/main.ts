// An application of the cluster suite: speaks many protocols, each on a port of its own, and calls others in them when
// it is told to. It knows nothing of certificates or meshes; whatever it says of identities, its proxy told it.
//
// Its log has a line for each call that it heard; a long conversation is one call.
//
//   main.ts [KIND=PORT …]    where a kind is to listen instead of on its own port

import { serveControl } from './control.ts'
import { KIND_NAMES, KINDS } from './kinds.ts'

const ports = new Map(process.argv.slice(2).map(argument => argument.split('=') as [string, string]))

const servers = KIND_NAMES.map(kind =>
  KINDS[kind].serve(Number(ports.get(kind) ?? KINDS[kind].port), answer =>
    console.log(JSON.stringify({ kind, ...answer }))
  )
)
const control = serveControl()

// Ends as soon as nobody is being answered, as most applications do.
process.once('SIGTERM', () => {
  for (const server of servers) server.close()
  control.close()
  control.closeIdleConnections()
})
