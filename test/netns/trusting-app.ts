// An application that trusts local proxies, as many are configured: it takes the client's address, scheme and host from
// the headers of callers whose own address is loopback, link-local or private.
//
//   trusting-app.ts PORT

import { fastify } from 'fastify'
import { TRUSTED_RANGES } from '../attacks/trusted-ranges.ts'

/** What the application believes of a request. */
export interface Believed {
  readonly ip: string
  readonly protocol: string
  readonly host: string
  /** The address at the other end of the connection. */
  readonly from: string
  /** Of every request so far. */
  readonly seen: readonly { readonly path: string; readonly from: string }[]
}

const app = fastify({ trustProxy: [...TRUSTED_RANGES] })
const seen: { path: string; from: string }[] = []
app.get('/*', async ({ ip, protocol, host, socket, url }): Promise<Believed> => {
  const from = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  seen.push({ path: url, from })
  return { ip: ip.replace(/^::ffff:/, ''), protocol, host, from, seen }
})
await app.listen({ host: '::', port: Number(process.argv[2]) })
process.stdout.write('ready\n')
