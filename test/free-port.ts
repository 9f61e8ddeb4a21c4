import { createServer } from 'node:net'

// Below the ports that Linux gives to outgoing connections and to who asks for any (32768 and up): between looking
// and listening, one of those may be taken by a connection of another test, whatever its address.
const FIRST = 10_000
const AFTER_LAST = 30_000

let next = FIRST + Math.floor(Math.random() * (AFTER_LAST - FIRST))

/**
 * A TCP port on which nobody listens at these addresses, and that this process has not given away for long. Addresses
 * of one test alone (127.x.y.z) keep others off.
 */
export async function freePort(...addresses: readonly [string, ...string[]]): Promise<number> {
  for (let tried = FIRST; tried < AFTER_LAST; tried++) {
    const port = next
    next = port + 1 < AFTER_LAST ? port + 1 : FIRST
    const free = await Promise.all(addresses.map(address => isFree(address, port)))
    if (free.every(Boolean)) return port
  }
  throw new Error(`no port is free on ${addresses.join(' and ')}`)
}

function isFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error)
    )
    server.listen(port, address, () => server.close(() => resolve(true)))
  })
}
